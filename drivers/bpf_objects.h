/* SPDX-License-Identifier: BSD-2-Clause */
/* The BPF objects that are built from bpf/ and embedded: each is an ELF file in memory, for bpf_object__open_mem. */
#ifndef DRIVERS_BPF_OBJECTS_H
#define DRIVERS_BPF_OBJECTS_H

/* bpf/xdp_redirect.bpf.c: frames of a queue to its AF_XDP socket. */
extern const unsigned char bpf_xdp_redirect[];
extern const unsigned int bpf_xdp_redirect_size;

/* bpf/host_tc.bpf.c: between an interface's host stack and its host rings. */
extern const unsigned char bpf_host_tc[];
extern const unsigned int bpf_host_tc_size;

#endif
