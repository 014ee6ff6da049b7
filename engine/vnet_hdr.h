/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames that carry a virtio-net header: checksum completion and segmentation.
 *
 * A frame with such a header may have an unfinished checksum and may stand for many frames on a wire. An
 * iterator turns it into those frames, each complete and with right checksums. Freestanding: no libc, no
 * allocation, no locks; one iterator belongs to one thread.
 *
 * The header and the frame may be hostile and may change while they are read. The virtio-net header and the
 * frame's headers are copied once into the iterator; every length and offset that is used comes from there.
 */
#ifndef ENGINE_VNET_HDR_H
#define ENGINE_VNET_HDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VNET_HDR_LEN		10	/* legacy form */
#define VNET_HDR_LEN_MRG	12	/* with num_buffers */
#define VNET_HEADERS_MAX	512	/* Ethernet to TCP or UDP, extension headers and tags included */
#define VNET_FRAME_MAX		(65535 + 14 + 8 * 4)

/* One piece of a frame; the pieces follow one another without a gap. */
struct vnet_frag {
	const void *base;
	uint32_t len;		/* bytes; 0 is allowed */
};

/* Where a frame is written to; the pieces follow one another without a gap. */
struct vnet_piece {
	void *base;
	uint32_t len;		/* bytes; 0 is allowed */
};

/* What an iterator reads. Must stay valid as long as the iterator is used. */
struct vnet_source {
	const void *hdr;		/* virtio-net header in this machine's byte order, or NULL for none */
	uint32_t hdr_len;		/* 0, VNET_HDR_LEN or VNET_HDR_LEN_MRG */
	const struct vnet_frag *frags;	/* the frame, without the virtio-net header */
	uint32_t nfrags;
	bool tag_insert;		/* put a VLAN tag in; offsets in hdr do not count it */
	uint16_t tag_tpid, tag_tci;	/* host byte order */
	uint32_t max_frame;		/* longest frame to produce, its VLAN tags not counted; 0: any */
};

enum vnet_kind {
	VNET_PLAIN,		/* the frame as it is */
	VNET_CSUM,		/* one internet checksum to finish */
	VNET_CSUM_CRC32C,	/* SCTP's instead */
	VNET_TCP,		/* TCP segments */
	VNET_UDP,		/* one datagram per segment */
	VNET_UFO,		/* IP fragments of one datagram */
};

/* Private to vnet_hdr.c, here so that it can live on a stack. */
struct vnet_iter {
	const struct vnet_frag *frags;
	uint32_t nfrags;
	uint32_t cursor;	/* a fragment, and the frame offset where it starts */
	uint32_t cursor_ofs;
	uint32_t frame_len;	/* source bytes */
	uint32_t payload;	/* source offset of what follows the headers */
	uint32_t payload_len;
	uint32_t seg_size;	/* payload bytes per frame */
	uint32_t count, next;	/* frames in all, the one to come */
	uint32_t pseudo;	/* checksum of addresses and protocol, or of the whole datagram (UFO) */
	uint16_t hdr_len;	/* valid bytes of hdr[]; offsets below count from its start */
	uint16_t l3, l4;
	uint32_t csum_start;	/* with an inserted tag it may not have 16 bits */
	uint16_t csum_offset;
	uint8_t kind;		/* enum vnet_kind */
	uint8_t ip_version;
	bool csum_fill;		/* the transport checksum is to be written */
	uint8_t hdr[VNET_HEADERS_MAX];
};

/*
 * Start on a frame. 0, -EINVAL if the header does not describe the frame (offsets, lengths, protocol,
 * unknown type), or -EMSGSIZE if max_frame cannot be kept: a frame that is no segmentation request, or
 * datagrams (UDP, one per segment) whose borders would have to move.
 */
int vnet_iter_init(struct vnet_iter *it, const struct vnet_source *src);

/* Number of frames in all, at least 1. */
uint32_t vnet_iter_count(const struct vnet_iter *it);

/* Go to frame n (clamped to the count), to resume where an earlier iterator over the same source stopped. */
void vnet_iter_seek(struct vnet_iter *it, uint32_t n);

/* Length in bytes of the frame that vnet_iter_next will give, 0 at the end. */
uint32_t vnet_iter_len(const struct vnet_iter *it);

/*
 * Write the next frame to n pieces. Returns its length, 0 at the end, or -ENOSPC if it is longer than all of
 * them (the iterator stays where it is). Reads each payload byte once (CRC32C: twice), never what it has
 * written, and writes nothing behind the frame.
 */
int vnet_iter_write(struct vnet_iter *it, const struct vnet_piece *to, uint32_t n);

/* The same with one piece. */
int vnet_iter_next(struct vnet_iter *it, void *buf, uint32_t room);

#endif
