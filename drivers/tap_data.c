/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TAP, data side. One call to the kernel a frame. The kernel's queue cannot be looked into: a packet that is read is kept
 * in shared memory until all its frames have found room, so that any process can go on with it.
 */
#include <errno.h>
#include <sys/uio.h>

#include "deliver.h"
#include "tap.h"

struct tap_map {
	int fd;
	struct tap_state *state;
};

static int tap_attach(struct driver_shared *sh, struct driver_queue *q, const int *fds, void *map)
{
	struct tap_map *m = map;

	(void)sh;
	*m = (struct tap_map){ .fd = fds[0], .state = (struct tap_state *)(uintptr_t)load_relaxed(&q->tap_state) };
	return m->state ? 0 : -EINVAL;
}

static void tap_detach(void *map)
{
	(void)map;
}

/* What the errno of a read or write means for the port. 0: nothing, try again later. */
static int tap_error(int err)
{
	switch (err) {
	case EAGAIN:
	case EINTR:
	case ENOMEM:
	case ENOBUFS:
		return 0;
	case EIO:
		return -ENETDOWN;
	default:
		/* EBADFD, EFAULT: the interface was removed. */
		return -ENXIO;
	}
}

/* ---- receiving ---- */

/* True if there is a packet. */
static bool packet_read(const struct tap_map *m, struct nic_ring *r, int *err)
{
	struct tap_state *st = m->state;
	struct iovec to[] = { { st->vnet, sizeof(st->vnet) }, { st->frame, sizeof(st->frame) } };
	ssize_t n = readv(m->fd, to, 2);

	if (n < 0) {
		*err = tap_error(errno);
		return false;
	}
	if (n < VNET_HDR_LEN + ETH_HEADER) {
		r->drops[DROP_RUNT]++;
		return true;
	}
	store_relaxed(&st->segment, 0);
	/* Last: whoever goes on finds the whole packet. */
	store_release(&st->len, (uint32_t)n - VNET_HDR_LEN);
	return true;
}

static int tap_rxsync(void *map, struct driver_shared *sh, struct driver_queue *q, struct nic_ring *r)
{
	const struct tap_map *m = map;
	struct tap_state *st = m->state;
	int err = 0;

	(void)q;
	while (r->from != r->to) {
		uint32_t len = load_acquire(&st->len), segment;
		struct vnet_frag frame = { st->frame, len };
		struct vnet_source src = {
			.hdr = st->vnet, .hdr_len = VNET_HDR_LEN, .frags = &frame, .nfrags = 1,
			.max_frame = load_relaxed(&sh->mtu) + ETH_HEADER,
		};

		if (len == 0 || len > sizeof(st->frame)) {
			store_relaxed(&st->len, 0);
			if (!packet_read(m, r, &err))
				break;
			continue;
		}
		segment = load_relaxed(&st->segment);
		if (!packet_deliver(r, &src, &segment)) {
			store_relaxed(&st->segment, segment);
			break;
		}
		store_relaxed(&st->len, 0);
	}
	return err;
}

/* ---- sending ---- */

/* 0, EAGAIN, or an errno. The header says that there is nothing to finish. */
static int frame_send(const struct tap_map *m, const struct nic_ring *r, const struct tx_frame *f)
{
	static const uint8_t header[VNET_HDR_LEN];
	struct iovec from[1 + NETMAP_MAX_FRAGS];
	uint32_t i;

	from[0] = (struct iovec){ (void *)(uintptr_t)header, sizeof(header) };
	for (i = 0; i < f->nfrags; i++)
		from[1 + i] = (struct iovec){ r->ubufs + f->at[i], slot_len(f->word[i]) };
	return writev(m->fd, from, (int)(1 + f->nfrags)) < 0 ? errno : 0;
}

static int tap_txsync(void *map, struct driver_shared *sh, struct driver_queue *q, struct nic_ring *r)
{
	const struct tap_map *m = map;
	uint32_t mtu = load_relaxed(&sh->mtu);
	struct tx_frame f;
	int verdict, err;

	(void)q;
	while (r->from != r->to) {
		verdict = tx_frame_load(r, &f);
		if (verdict == -EAGAIN)
			break;
		if (verdict == DROP_REASONS)
			verdict = tx_frame_check(r, &f, mtu);
		if (verdict == DROP_REASONS) {
			err = frame_send(m, r, &f);
			if (err == EAGAIN || err == EINTR)
				break;
			if (err != 0 && tap_error(err) < 0 && err != EINVAL)
				return tap_error(err);
			if (err != 0)
				verdict = DROP_DEVICE;
		}
		if (verdict == DROP_REASONS) {
			r->packets++;
			r->bytes += f.len;
		} else {
			r->drops[verdict]++;
		}
		tx_frame_take(r, &f);
	}
	return 0;
}

static unsigned tap_pollfds(void *map, struct driver_queue *q, short events, struct pollfd *pfds, int *timeout_ms)
{
	const struct tap_map *m = map;

	(void)q;
	(void)timeout_ms;
	pfds[0] = (struct pollfd){ .fd = m->fd, .events = events };
	return 1;
}

const struct driver_data_ops tap_data_ops = {
	.map_size = sizeof(struct tap_map),
	.attach = tap_attach,
	.detach = tap_detach,
	.txsync = tap_txsync,
	.rxsync = tap_rxsync,
	.pollfds = tap_pollfds,
};
