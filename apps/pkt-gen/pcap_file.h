/* SPDX-License-Identifier: BSD-2-Clause */
/* Files of captured packets: to send from, to receive from, to write to. Ethernet only. */
#ifndef PKT_GEN_PCAP_FILE_H
#define PKT_GEN_PCAP_FILE_H

#include <stddef.h>
#include <stdint.h>

/* Room for libpcap's messages, and for ours. */
#define PCAP_FILE_ERR_MAX 512

struct frame_ref {
	size_t ofs;
	unsigned len;
};

/* All frames of a file in memory. Each is preceded by a vnet header of zeros and followed by padding. */
struct frame_file {
	uint8_t *bytes;
	size_t size;
	struct frame_ref *frames;
	size_t count;
	unsigned len_max;	/* of all frames, with vnet header */
};

/*
 * Loads a file. Frames longer than 65535 bytes with their vnet header are refused. Returns 0, or -errno with
 * a message in err. The content is freed by frame_file_free().
 */
int frame_file_load(struct frame_file *f, const char *path, unsigned vnet_len, char err[PCAP_FILE_ERR_MAX]);
void frame_file_free(struct frame_file *f);

struct pcap_file;

/* Opens a file for reading, or a new one for writing. NULL with a message in err on failure. */
struct pcap_file *pcap_file_open(const char *path, char err[PCAP_FILE_ERR_MAX]);
struct pcap_file *pcap_file_create(const char *path, char err[PCAP_FILE_ERR_MAX]);

/* Returns 0 if all that was written is in the file, else -EIO. */
int pcap_file_close(struct pcap_file *p);

/*
 * The next frame of the file, valid until the next call. Returns its length, 0 at the end, -EIO if the file
 * is damaged.
 */
int pcap_file_read(struct pcap_file *p, const uint8_t **data);

/* Appends a frame with the current time. */
void pcap_file_write(struct pcap_file *p, const uint8_t *data, unsigned len);

#endif
