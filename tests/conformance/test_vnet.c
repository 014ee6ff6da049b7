/* SPDX-License-Identifier: BSD-2-Clause */
/* Virtio-net headers of VALE ports, between processes: the requests, and what becomes of frames. */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "harness.h"
#include "port.h"

#define HDR_LEN		12
#define SEGMENT		1000
#define SEGMENTS	40
#define TCP_FRAME	54		/* headers */

static int
header_set(int fd, const char *name, uint32_t len)
{
	struct nmreq_port_hdr body = { .nr_hdr_len = len };

	return request_try(fd, NETMAP_REQ_PORT_HDR_SET, name, &body);
}

static void
expect_header(int fd, const char *name, uint32_t len)
{
	struct nmreq_port_hdr body = { .nr_hdr_len = 77 };

	check_eq(request_try(fd, NETMAP_REQ_PORT_HDR_GET, name, &body), 0);
	check_eq(body.nr_hdr_len, len);
}

static void
requests(void)
{
	struct port a, pipe;
	int fd = device_open();

	port_open(&a, vale("a"));
	expect_header(fd, vale("a"), 0);
	check_eq(header_set(fd, vale("a"), 10), 0);
	expect_header(fd, vale("a"), 10);
	check_eq(header_set(fd, vale("a"), 12), 0);
	expect_header(fd, vale("a"), 12);
	check_eq(header_set(fd, vale("a"), 11), -EINVAL);
	check_eq(header_set(fd, vale("a"), 65546), -EINVAL);
	check_eq(header_set(fd, vale("none"), 12), -ENXIO);
	check_eq(header_set(fd, "nosuch0", 12), -ENXIO);
	check_eq(header_set(fd, vale("a{1"), 12), -ENXIO);
	port_open_as(&pipe, vale("a{1"), &(struct nmreq_register){ .nr_flags = NR_ACCEPT_VNET_HDR });
	check_eq(header_set(fd, vale("a{1"), 12), -ENXIO);
	port_close(&pipe);
	expect_header(fd, vale("a"), 12);
	check_eq(header_set(fd, vale("a"), 0), 0);
	expect_header(fd, vale("a"), 0);
	port_close(&a);
	close(fd);
}

static void
legacy(void)
{
	struct nmreq nmr = { .nr_version = NETMAP_API, .nr_cmd = NETMAP_BDG_VNET_HDR, .nr_arg1 = 12 };
	struct port a;
	int fd = device_open();

	port_open(&a, vale("a"));
	strncpy(nmr.nr_name, vale("a"), sizeof(nmr.nr_name) - 1);
	check_ok(ioctl(fd, NIOCREGIF, &nmr));
	expect_header(fd, vale("a"), 12);
	nmr.nr_arg1 = 13;
	check_errno(ioctl(fd, NIOCREGIF, &nmr), EINVAL);
	nmr.nr_arg1 = 0;
	nmr.nr_cmd = NETMAP_VNET_HDR_GET;
	check_ok(ioctl(fd, NIOCREGIF, &nmr));
	check_eq(nmr.nr_arg1, 12);
	port_close(&a);
	close(fd);
}

/* Who does not know of headers cannot open such a port. */
static void
refused(void)
{
	struct port a, b;

	port_open(&a, vale("a"));
	check_eq(header_set(a.fd, vale("a"), 10), 0);
	check_eq(port_try(&b, vale("a"), NULL), -EIO);
	port_open_as(&b, vale("a"), &(struct nmreq_register){ .nr_flags = NR_ACCEPT_VNET_HDR });
	port_close(&b);
	check_eq(header_set(a.fd, vale("a"), 0), 0);
	port_open(&b, vale("a"));
}

static void
between_lengths(void)
{
	uint8_t out[HDR_LEN + FRAME_MIN] = { 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 }, in[FRAME_ROOM];
	struct port none, ten, twelve;

	port_open(&none, vale("none"));
	port_open(&ten, vale("ten"));
	port_open(&twelve, vale("twelve"));
	check_eq(header_set(ten.fd, vale("ten"), 10), 0);
	check_eq(header_set(ten.fd, vale("twelve"), 12), 0);
	frame_make(out + HDR_LEN, FRAME_MIN, 0xff, 1, 7);
	port_send(&twelve, out, sizeof(out));
	port_rxsync(&none);
	check_eq(port_take(&none, in), FRAME_MIN);
	check(memcmp(in, out + HDR_LEN, FRAME_MIN) == 0);
	port_rxsync(&ten);
	check_eq(port_take(&ten, in), 10 + FRAME_MIN);
	check(memcmp(in, out, 10) == 0 && memcmp(in + 10, out + HDR_LEN, FRAME_MIN) == 0);
	port_send(&none, out + HDR_LEN, FRAME_MIN);
	memset(out, 0, HDR_LEN);
	port_rxsync(&twelve);
	check_eq(port_take(&twelve, in), sizeof(out));
	check(memcmp(in, out, sizeof(out)) == 0);
	/* A header that does not fit its frame. */
	out[0] = 1;
	out[6] = 200;
	port_send(&twelve, out, sizeof(out));
	port_rxsync(&none);
	check_eq(port_take(&none, in), 0);
}

/* --- segmentation --- */

static uint8_t
payload_byte(unsigned i)
{
	return (uint8_t)(i * 7 + i / 251);
}

/* A TCP packet of SEGMENTS segments, behind its header, as a guest hands it over. Returns its length. */
static unsigned
tcp_make(uint8_t *p)
{
	static const uint8_t headers[TCP_FRAME] = { 255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 9, 8, 0,
		0x45, [22] = 64, 6, [26] = 10, 0, 0, 1, 10, 0, 0, 2, 1, 0, 0, 80, [46] = 0x50, 0x18 };
	const uint16_t gso[4] = { TCP_FRAME, SEGMENT, 34, 16 };
	unsigned len = TCP_FRAME + SEGMENTS * SEGMENT, i;

	memset(p, 0, HDR_LEN);
	p[0] = p[1] = 1;
	memcpy(p + 2, gso, sizeof(gso));
	p += HDR_LEN;
	memcpy(p, headers, sizeof(headers));
	p[16] = (uint8_t)((len - 14) >> 8);
	p[17] = (uint8_t)(len - 14);
	for (i = 0; i < SEGMENTS * SEGMENT; i++)
		p[TCP_FRAME + i] = payload_byte(i);
	return HDR_LEN + len;
}

static void
guest(void *arg)
{
	static uint8_t p[HDR_LEN + TCP_FRAME + SEGMENTS * SEGMENT];
	unsigned len = tcp_make(p), done = 0, part;
	struct netmap_ring *ring;
	struct port g;

	port_open(&g, arg);
	check_eq(header_set(g.fd, arg, HDR_LEN), 0);
	ring = port_tx(&g, 0);
	for (; done < len; done += part) {
		struct netmap_slot *slot = &ring->slot[ring->head];

		part = len - done < ring->nr_buf_size ? len - done : ring->nr_buf_size;
		memcpy(NETMAP_BUF(ring, slot->buf_idx), p + done, part);
		slot->len = (uint16_t)part;
		slot->flags = done + part < len ? NS_MOREFRAG : 0;
		ring->head = ring->cur = nm_ring_next(ring, ring->head);
	}
	port_txsync(&g);
}

static uint32_t
sum16(uint32_t sum, const uint8_t *p, unsigned len)
{
	unsigned i;

	for (i = 0; i < len; i++)
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static void
segments(void)
{
	uint8_t in[FRAME_ROOM];
	struct port p;
	unsigned i, k;
	char name[64];

	strcpy(name, vale("guest"));
	port_open(&p, vale("wire"));
	join(spawn(guest, name));
	for (i = 0; i < SEGMENTS; i++) {
		check_eq(port_recv(&p, in, 2000), TCP_FRAME + SEGMENT);
		check_eq(in[16] << 8 | in[17], 40 + SEGMENT);
		check_eq(in[18] << 8 | in[19], i);
		check_eq((uint32_t)in[38] << 24 | in[39] << 16 | in[40] << 8 | in[41], i * SEGMENT);
		check_eq(in[47], i + 1 < SEGMENTS ? 0x10 : 0x18);
		check_eq(sum16(0, in + 14, 20), 0xffff);
		check_eq(sum16(sum16(6 + 20 + SEGMENT, in + 26, 8), in + 34, 20 + SEGMENT), 0xffff);
		for (k = 0; k < SEGMENT; k++)
			check_eq(in[TCP_FRAME + k], payload_byte(i * SEGMENT + k));
	}
	check_eq(port_recv(&p, in, 20), 0);
}

static const struct test_case cases[] = {
	{ "requests", requests, 0, false },
	{ "legacy", legacy, 0, false },
	{ "refused", refused, 0, false },
	{ "between_lengths", between_lengths, 0, false },
	{ "segments", segments, 0, false },
};

/* Refused requests are logged with their reasons. */
static const char *const expected[] = { "request", "(error ", NULL };

TEST_MAIN(cases, expected)
