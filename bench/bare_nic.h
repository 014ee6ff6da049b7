/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bare loops over a network interface: the least that a process can do to send
 * or to take frames through AF_XDP sockets (bare_xdp.c), through mapped packet
 * socket rings (bare_packet.c), and through sendmmsg and recvmmsg
 * (bare_mmsg.c). They are the yardsticks of the nic cases of netmap-bench, so
 * they are FROZEN: a change here makes all earlier ratios meaningless. Change
 * the harness instead.
 *
 * What all of them do for each frame: the sender writes the 14 bytes of its
 * header, the receiver reads the first word of its data. Each end is opened in
 * the calling process's network namespace and drives queue 0 alone. Functions
 * return 0 or -errno; *step then names what failed.
 */
#ifndef BENCH_BARE_NIC_H
#define BENCH_BARE_NIC_H

#include <stdbool.h>
#include <stdint.h>

#define BARE_NIC_CHUNK		2048
#define BARE_NIC_HEADER_LEN	14

/* Receive side of AF_XDP; frames are copied once in either. */
enum bare_xdp_mode {
	BARE_XDP_NATIVE,	/* the driver runs the program */
	BARE_XDP_GENERIC,	/* the kernel's receive path does */
};

struct bare_nic_params {
	const char *ifname;
	bool receive;		/* else: send */
	bool block;		/* a receiver sleeps in poll() while nothing comes; else it looks again */
	enum bare_xdp_mode xdp_mode;
	unsigned int len;	/* frame length in bytes without the checksum, 14..BARE_NIC_CHUNK */
	unsigned int batch;	/* 1..slots */
	unsigned int slots;	/* descriptors of a ring, a power of two */
	uint8_t header[BARE_NIC_HEADER_LEN];
};

struct bare_nic;

/* One kind of bare loop. */
struct bare_nic_ops {
	/* *out is for close; nothing is left behind on failure. */
	int (*open)(const struct bare_nic_params *p, struct bare_nic **out, const char **step);
	/* Sends or receives until *stop is not 0, and keeps *packets up to date once a batch. */
	int (*run)(struct bare_nic *n, const uint32_t *stop, uint64_t *packets);
	void (*close)(struct bare_nic *n);
};

extern const struct bare_nic_ops bare_xdp_ops;
extern const struct bare_nic_ops bare_packet_ops;
extern const struct bare_nic_ops bare_mmsg_ops;

static inline bool
bare_nic_stopped(const uint32_t *stop)
{
	return __atomic_load_n(stop, __ATOMIC_RELAXED) != 0;
}

static inline void
bare_nic_count(uint64_t *packets, uint64_t n)
{
	__atomic_store_n(packets, *packets + n, __ATOMIC_RELAXED);
}

/* A receiver that spins. */
static inline void
bare_nic_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield" ::: "memory");
#endif
}

#endif
