/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Monitors and null ports through the public API: in processes of their own, asleep, killed, and with the monitored program killed.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <libnetmap.h>

#include "harness.h"
#include "port.h"

#define KILLS	40

static const struct nmreq_register copy_tx = { .nr_mode = NR_REG_ALL_NIC, .nr_flags = NR_MONITOR_TX };
static const struct nmreq_register copy_rx = { .nr_mode = NR_REG_ALL_NIC, .nr_flags = NR_MONITOR_RX };
static const struct nmreq_register zcopy = { .nr_mode = NR_REG_ALL_NIC, .nr_flags = NR_ZCOPY_MON };

struct board {
	_Atomic unsigned opened, ready, seen, ended, victim_runs;
	_Atomic uint64_t next;		/* number of the victims' next frame */
};

static struct board *board;

static void
names(char *master, char *slave)
{
	snprintf(master, NETMAP_REQ_IFNAMSIZ, "%s{1", vale("p"));
	snprintf(slave, NETMAP_REQ_IFNAMSIZ, "%s}1", vale("p"));
}

/* --- a monitor in another process --- */

static void
watcher_run(void *arg)
{
	const struct nmreq_register *want = arg;
	struct port m;
	short got;

	wait_until(board->opened != 0, 10000);
	port_open_as(&m, vale("a"), want);
	check_eq(m.reg.nr_flags & (NR_MONITOR_TX | NR_MONITOR_RX),
		want->nr_flags & NR_ZCOPY_MON ? NR_MONITOR_TX | NR_MONITOR_RX : want->nr_flags);
	board->ready++;
	for (;;) {
		struct netmap_ring *r = port_rx(&m, 0);

		got = port_poll(&m, POLLIN, 20000);
		check(got != 0);
		if ((got & POLLERR) != 0)
			break;
		for (; !nm_ring_empty(r); r->head = r->cur = nm_ring_next(r, r->head)) {
			const struct netmap_slot *slot = &r->slot[r->head];

			check((slot->flags & NS_TXMON) != 0);
			check(frame_good(NETMAP_BUF(r, slot->buf_idx), slot->len));
			board->seen++;
		}
	}
	check_errno(ioctl(m.fd, NIOCRXSYNC), EIO);
	board->ended++;
}

/* Each sleeper sees each frame; when the port closes they all wake. */
static void
watched(void)
{
	uint8_t frame[FRAME_MIN];
	struct port a, b;
	pid_t pid[3];

	board = shared_memory(sizeof(*board));
	/* Before there are descriptors that they would inherit. */
	pid[0] = spawn(watcher_run, (void *)(uintptr_t)&copy_tx);
	pid[1] = spawn(watcher_run, (void *)(uintptr_t)&zcopy);
	pid[2] = spawn(watcher_run, (void *)(uintptr_t)&copy_tx);
	port_open_two(&a, &b);
	board->opened = 1;
	wait_until(board->ready == 3, 10000);
	for (unsigned i = 0; i < 200; i++) {
		frame_make(frame, sizeof(frame), 0xff, 1, i);
		port_send(&a, frame, sizeof(frame));
		check(port_recv(&b, frame, 5000) == sizeof(frame));
		/* One at a time: each has to wake. */
		if (i % 4 == 0)
			wait_until(board->seen == 3 * (i + 1), 5000);
	}
	wait_until(board->seen == 600, 5000);
	check_eq(board->ended, 0);
	port_close(&a);
	for (unsigned i = 0; i < 3; i++)
		join(pid[i]);
	check_eq(board->ended, 3);
	check_eq(port_try(&a, vale("a"), &copy_tx), -EINVAL);
	port_close(&b);
}

/* As libnetmap and pkt-gen name them. */
static void
by_name(void)
{
	char spec[NETMAP_REQ_IFNAMSIZ + 8];
	uint8_t frame[FRAME_MIN];
	struct nmport_d *d;
	struct port a, b;

	port_open_two(&a, &b);
	for (const char *kind = "trz"; *kind != '\0'; kind++) {
		snprintf(spec, sizeof(spec), "%s/%c", vale(*kind == 'r' ? "b" : "a"), *kind);
		d = nmport_open(spec);
		check(d != NULL);
		check_eq(d->reg.nr_mem_id == a.reg.nr_mem_id, *kind == 'z');
		frame_make(frame, sizeof(frame), 0xff, 1, 7);
		port_send(&a, frame, sizeof(frame));
		check_ok(ioctl(d->fd, NIOCRXSYNC));
		check(!nm_ring_empty(NETMAP_RXRING(d->nifp, 0)));
		check(port_recv(&b, frame, 5000) > 0);
		nmport_close(d);
	}
	port_close(&a);
	port_close(&b);
}

/* --- deaths --- */

static void
sender_run(void *arg)
{
	char master[NETMAP_REQ_IFNAMSIZ], slave[NETMAP_REQ_IFNAMSIZ];
	uint8_t frame[FRAME_MIN];
	struct port p;

	names(master, slave);
	port_open(&p, master);
	board->victim_runs = 1;
	for (;;) {
		frame_make(frame, sizeof(frame), 2, 1, board->next);
		while (!port_put(&p, frame, sizeof(frame)))
			port_poll(&p, POLLOUT, 1000);
		board->next++;
		if (board->next % 16 == 0)
			port_txsync(&p);
	}
}

/* Whole frames, or slots that a dead thread left. Returns the frames. */
static unsigned
drain(struct port *p)
{
	struct netmap_ring *r = port_rx(p, 0);
	unsigned n = 0;

	port_rxsync(p);
	for (; !nm_ring_empty(r); r->head = r->cur = nm_ring_next(r, r->head)) {
		const struct netmap_slot *slot = &r->slot[r->head];

		check(slot->len == 0 || frame_good(NETMAP_BUF(r, slot->buf_idx), slot->len));
		n += slot->len != 0;
	}
	port_rxsync(p);
	return n;
}

/* The monitored program dies at any moment: its peer and the monitors go on with whole frames, and with the next one's. */
static void
monitored_killed(void)
{
	char master[NETMAP_REQ_IFNAMSIZ], slave[NETMAP_REQ_IFNAMSIZ];
	struct port peer, copy, swap[2];
	unsigned seed = 5, got = 0, copied = 0, swapped = 0;
	uint64_t end;
	pid_t victim;

	board = shared_memory(sizeof(*board));
	names(master, slave);
	port_open(&peer, slave);
	port_open_as(&copy, master, &copy_tx);
	port_open_as(&swap[0], master, &zcopy);
	port_open_as(&swap[1], master, &zcopy);
	for (unsigned i = 0; i < KILLS; i++) {
		board->victim_runs = 0;
		victim = spawn(sender_run, NULL);
		wait_until(board->victim_runs != 0, 10000);
		seed = seed * 1103515245 + 12345;
		end = now_ms() + (seed >> 16) % 6;
		do {
			got += drain(&peer);
			copied += drain(&copy);
			drain(&swap[0]);
			swapped += drain(&swap[1]);
		} while (now_ms() < end);
		stop_process(victim, SIGKILL);
	}
	check(got > 1000 && copied > 1000 && swapped > 1000);
	printf("%u frames, %u copied, %u through two zero-copy monitors\n", got, copied, swapped);
	port_close(&swap[0]);
	port_close(&copy);
	port_close(&swap[1]);
	port_close(&peer);
}

static void
reader_run(void *arg)
{
	char master[NETMAP_REQ_IFNAMSIZ], slave[NETMAP_REQ_IFNAMSIZ];
	struct port copy, swap;

	names(master, slave);
	port_open_as(&copy, slave, &copy_rx);
	port_open_as(&swap, slave, &zcopy);
	for (;;) {
		board->seen += drain(&copy);
		board->seen += drain(&swap);
	}
}

/* Monitors die: what they show does not suffer. */
static void
monitor_killed(void)
{
	char master[NETMAP_REQ_IFNAMSIZ], slave[NETMAP_REQ_IFNAMSIZ];
	uint8_t frame[FRAME_ROOM];
	uint64_t sent = 0, got = 0, end;
	struct port m, s, last;
	unsigned seed = 9;
	pid_t victim;

	board = shared_memory(sizeof(*board));
	names(master, slave);
	port_open(&m, master);
	port_open(&s, slave);
	port_open_as(&last, slave, &zcopy);
	for (unsigned i = 0; i < KILLS; i++) {
		unsigned seen = board->seen;

		victim = spawn(reader_run, NULL);
		seed = seed * 1103515245 + 12345;
		end = 0;
		while (end == 0 || now_ms() < end) {
			for (unsigned n = 0; n < 64; n++, sent++) {
				frame_make(frame, FRAME_MIN, 2, 1, sent);
				if (!port_put(&m, frame, FRAME_MIN))
					break;
			}
			port_txsync(&m);
			port_rxsync(&s);
			for (; port_take(&s, frame) > 0; got++) {
				check(frame_good(frame, FRAME_MIN));
				check_eq(frame_number(frame), got);
			}
			port_rxsync(&s);
			drain(&last);
			if (end == 0 && board->seen > seen)
				end = now_ms() + (seed >> 16) % 6;
		}
		stop_process(victim, SIGKILL);
	}
	check_eq(got, sent);
	port_close(&last);
	port_close(&m);
	port_close(&s);
}

/* --- null ports --- */

/* Memory and extra buffers outlive the port that they came from. */
static void
null_ports(void)
{
	struct nmreq_register want = { .nr_mode = NR_REG_NULL, .nr_extra_bufs = 20 };
	uint32_t n = 0, idx;
	struct port a, p;

	check_eq(port_try(&p, "holder", &want), -EINVAL);
	port_open(&a, vale("a"));
	want.nr_mem_id = a.reg.nr_mem_id;
	port_open_as(&p, "holder", &want);
	check_eq(p.reg.nr_tx_rings + p.reg.nr_rx_rings, 0);
	check_eq(p.reg.nr_extra_bufs, 20);
	check_ok(ioctl(p.fd, NIOCTXSYNC));
	check_ok(ioctl(p.fd, NIOCRXSYNC));
	check_eq(port_poll(&p, POLLIN, 10), 0);
	/* Where buffer 0 is only a ring tells. */
	char *bufs = (char *)NETMAP_BUF(port_tx(&a, 0), 0) - a.mem + p.mem;
	uint32_t size = port_tx(&a, 0)->nr_buf_size;

	port_close(&a);
	for (idx = p.nifp->ni_bufs_head; idx != 0; n++) {
		memset(bufs + (size_t)idx * size + 4, 0x55, size - 4);
		memcpy(&idx, bufs + (size_t)idx * size, sizeof(idx));
	}
	check_eq(n, 20);
	port_close(&p);
}

static const struct test_case cases[] = {
	{ "watched", watched, 30, false },
	{ "by_name", by_name, 0, false },
	{ "monitored_killed", monitored_killed, 50, false },
	{ "monitor_killed", monitor_killed, 50, false },
	{ "null_ports", null_ports, 0, false },
};

static const char *const log_lines[] = {
	"no open port",
	"null port needs",
	"unfinished leases",
	NULL
};

TEST_MAIN(cases, log_lines)
