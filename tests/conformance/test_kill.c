/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Senders that die, or stop, in the middle of a transfer: the receiver and the other senders are unharmed.
 *
 *	victim --+
 *	         +--> r        all of them processes of their own
 *	second --+--> calm     (a port that the victim never sends to)
 */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <libnetmap.h>

#include "harness.h"
#include "port.h"

#define KILLS		200
#define PIPE_KILLS	50
#define STATION_R	10
#define STATION_CALM	11
#define STATION_VICTIM	1
#define STATION_SECOND	2
#define SEND_BATCH	64

/* What the processes tell each other. */
struct board {
	_Atomic unsigned stop;		/* senders: come to an end */
	_Atomic unsigned victim_runs;	/* the current victim has begun to send */
	_Atomic uint64_t victims;	/* how many there were: each counts its frames on from there */
	_Atomic uint64_t sent[2];	/* by the second, to r and to calm */
	_Atomic uint64_t got[2];	/* of the second, at r and at calm */
	_Atomic uint64_t got_victim;
};

static struct board *board;

static void
pause_us(unsigned us)
{
	struct timespec ts = { .tv_nsec = (long)us * 1000 };

	nanosleep(&ts, NULL);
}

static void
victim_run(void *arg)
{
	uint8_t frame[1500];
	uint64_t first = board->victims << 32;
	struct port p;

	port_open(&p, vale("v"));
	for (uint64_t n = 0;; n++) {
		size_t len = FRAME_MIN + n * 37 % 1400;

		frame_make(frame, len, STATION_R, STATION_VICTIM, first + n);
		while (!port_put(&p, frame, len))
			port_txsync(&p);
		if (n % SEND_BATCH == 0)
			port_txsync(&p);
		if (n == SEND_BATCH)
			board->victim_runs = 1;
	}
}

/* To both receivers by turns. Keeps so far behind them that calm always has room. */
static void
second_run(void *arg)
{
	uint8_t frame[FRAME_MIN];
	struct port p;

	port_open(&p, vale("s"));
	while (!board->stop) {
		for (unsigned to = 0; to < 2; to++) {
			frame_make(frame, sizeof(frame), to == 0 ? STATION_R : STATION_CALM, STATION_SECOND,
				board->sent[to]);
			check(port_put(&p, frame, sizeof(frame)));
			board->sent[to]++;
		}
		if (board->sent[0] % SEND_BATCH == 0) {
			port_txsync(&p);
			while (board->sent[1] - board->got[1] > 512 && !board->stop)
				sched_yield();
		}
	}
	port_txsync(&p);
}

struct receiver {
	struct port p;
	uint64_t next_victim, next_second, lost, empty;
	uint64_t fresh;			/* of the second, in slots that were not given back yet */
};

/* Frames of one sender come in order; each is whole; empty slots are what a dead sender left. */
static void
receive_one(struct receiver *r, const uint8_t *in, size_t len, unsigned which)
{
	uint64_t n = frame_number(in);

	check(frame_good(in, len));
	if (frame_source(in) == STATION_SECOND) {
		check(n >= r->next_second);
		r->lost += n - r->next_second;
		r->next_second = n + 1;
		r->fresh++;
	} else {
		check_eq(frame_source(in), STATION_VICTIM);
		check_eq(which, 0);
		check(n >= r->next_victim);
		r->next_victim = n + 1;
		board->got_victim++;
	}
}

static void
receive(struct receiver *r, unsigned which)
{
	struct netmap_ring *ring = port_rx(&r->p, 0);

	while (!nm_ring_empty(ring)) {
		const struct netmap_slot *slot = &ring->slot[ring->head];

		if (slot->len == 0)
			r->empty++;
		else
			receive_one(r, (const uint8_t *)NETMAP_BUF(ring, slot->buf_idx), slot->len, which);
		ring->head = ring->cur = nm_ring_next(ring, ring->head);
	}
	port_rxsync(&r->p);
	board->got[which] += r->fresh;
	r->fresh = 0;
}

/* Until senders have stopped and all is quiet. */
static void
calm_run(void *arg)
{
	struct receiver *r = arg;

	bool over;

	do {
		over = board->stop;
		while (port_poll(&r->p, POLLIN, 300) != 0)
			receive(r, 1);
	} while (!over);
	/* Nothing at all is missing here. */
	check_eq(r->lost, 0);
	check_eq(r->next_second, board->sent[1]);
}

static void
stations_open(struct receiver *r, struct receiver *calm)
{
	uint8_t frame[FRAME_MIN];

	board = shared_memory(sizeof(*board));
	port_open(&r->p, vale("r"));
	port_open(&calm->p, vale("calm"));
	/* The switch knows both from here on. */
	frame_make(frame, sizeof(frame), STATION_R, STATION_R, 0);
	port_send(&r->p, frame, sizeof(frame));
	frame_make(frame, sizeof(frame), STATION_CALM, STATION_CALM, 0);
	port_send(&calm->p, frame, sizeof(frame));
	port_rxsync(&r->p);
	port_rxsync(&calm->p);
	port_rx(&calm->p, 0)->head = port_rx(&calm->p, 0)->cur = port_rx(&calm->p, 0)->tail;
	port_rx(&r->p, 0)->head = port_rx(&r->p, 0)->cur = port_rx(&r->p, 0)->tail;
}

static void
wait_running(struct receiver *r)
{
	uint64_t end = now_ms() + 10000;

	while (!board->victim_runs) {
		check(now_ms() < end);
		port_poll(&r->p, POLLIN, 1);
		receive(r, 0);
	}
}

static void
killed(void)
{
	static struct receiver r, calm;
	pid_t second, calm_pid, victim;
	unsigned seed = 1;

	stations_open(&r, &calm);
	calm_pid = spawn(calm_run, &calm);
	second = spawn(second_run, NULL);
	for (unsigned i = 0; i < KILLS; i++) {
		uint64_t end;

		board->victim_runs = 0;
		board->victims++;
		victim = spawn(victim_run, NULL);
		wait_running(&r);
		/* It goes on for a random time, mostly short, with the receiver at work or asleep. */
		seed = seed * 1103515245 + 12345;
		end = now_ms() + (seed >> 16) % 4;
		do {
			if (i % 2 == 0)
				pause_us((seed >> 20) % 500);
			receive(&r, 0);
		} while (now_ms() < end);
		stop_process(victim, SIGKILL);
		receive(&r, 0);
	}
	/* The last victim's lease is given up, and all goes on. */
	wait_until((receive(&r, 0), vale_index(vale("v")) < 0), 5000);
	uint64_t before = board->got[0];

	wait_until((receive(&r, 0), board->got[0] > before + 10000), 10000);
	board->stop = 1;
	while (waitpid(second, NULL, WNOHANG) == 0)
		receive(&r, 0);
	while (port_poll(&r.p, POLLIN, 300) != 0)
		receive(&r, 0);
	join(calm_pid);
	/* What the second has lost at r, r has counted, and at least that. */
	check(board->got_victim > 0);
	check_eq(board->got[0] + r.lost, r.next_second);
	check(port_drops(vale("r"), "no-room") >= board->sent[0] - board->got[0]);
	check_eq(port_drops(vale("r"), "cancelled"), r.empty);
	printf("%llu frames of the victims, %llu of the second, %llu dropped, %llu cancelled\n",
		(unsigned long long)board->got_victim,
		(unsigned long long)board->got[0], (unsigned long long)port_drops(vale("r"), "no-room"),
			(unsigned long long)r.empty);
}

/*
 * A stopped sender may hold a lease at r, which then waits for it; calm does not notice, nor does the second.
 */
static void
stopped(void)
{
	static struct receiver r, calm;
	pid_t second, calm_pid, victim;
	uint64_t sent, got, end;
	int status;

	stations_open(&r, &calm);
	calm_pid = spawn(calm_run, &calm);
	second = spawn(second_run, NULL);
	victim = spawn(victim_run, NULL);
	wait_running(&r);
	kill(victim, SIGSTOP);
	check_eq(waitpid(victim, &status, WUNTRACED), victim);
	check(WIFSTOPPED(status));
	for (int i = 0; i < 10; i++) {
		sent = board->sent[1];
		got = board->got[1];
		end = now_ms() + 500;
		while (now_ms() < end) {
			port_poll(&r.p, POLLIN, 10);
			receive(&r, 0);
		}
		check(board->sent[1] > sent + 1000);
		check(board->got[1] > got + 1000);
	}
	kill(victim, SIGCONT);
	got = board->got_victim;
	sent = board->got[0];
	wait_until((receive(&r, 0), board->got_victim > got + 1000 && board->got[0] > sent + 1000), 10000);
	stop_process(victim, SIGKILL);
	board->stop = 1;
	while (waitpid(second, NULL, WNOHANG) == 0)
		receive(&r, 0);
	while (port_poll(&r.p, POLLIN, 300) != 0)
		receive(&r, 0);
	join(calm_pid);
	check_eq(board->got[0] + r.lost, r.next_second);
	check(port_drops(vale("r"), "no-room") >= board->sent[0] - board->got[0]);
}

/* --- pipes --- */

static void
pipe_name(char *name, char end)
{
	snprintf(name, NETMAP_REQ_IFNAMSIZ, "%s%c1", vale("p"), end);
}

static void
pipe_victim(void *arg)
{
	char name[NETMAP_REQ_IFNAMSIZ];
	uint8_t frame[FRAME_MIN];
	struct port p;

	pipe_name(name, '{');
	port_open(&p, name);
	board->victim_runs = 1;
	for (uint64_t n = 0;; n++) {
		frame_make(frame, sizeof(frame), 2, 1, n);
		while (!port_put(&p, frame, sizeof(frame)))
			port_poll(&p, POLLOUT, 1000);
		if (n % 16 == 0)
			port_txsync(&p);
	}
}

/* Each new sender goes on in the ring that the last one left: its frames come in order, from 0 on. */
static void
pipe_sender_killed(void)
{
	char name[NETMAP_REQ_IFNAMSIZ];
	uint64_t next = 0, restarts = 0;
	uint8_t in[FRAME_ROOM];
	unsigned seed = 3;
	struct port p;

	board = shared_memory(sizeof(*board));
	pipe_name(name, '}');
	port_open(&p, name);
	for (unsigned i = 0; i < PIPE_KILLS; i++) {
		pid_t victim;
		uint64_t end;

		board->victim_runs = 0;
		victim = spawn(pipe_victim, NULL);
		wait_until(board->victim_runs, 10000);
		seed = seed * 1103515245 + 12345;
		end = now_ms() + (seed >> 16) % 5;
		do {
			while (port_take(&p, in) > 0) {
				uint64_t n = frame_number(in);

				check(frame_good(in, FRAME_MIN));
				/*
				 * What its predecessor had put into the ring but not synced may come as well:
				 * whole, or not at all.
				 */
				restarts += n == 0;
				check(n == next || n == 0);
				next = n + 1;
			}
			port_rxsync(&p);
		} while (now_ms() < end);
		stop_process(victim, SIGKILL);
	}
	check(restarts > 1);
}

static void
pipe_drain(void *arg)
{
	char name[NETMAP_REQ_IFNAMSIZ];
	uint8_t in[FRAME_ROOM];
	struct port p;

	pipe_name(name, '}');
	port_open(&p, name);
	board->victim_runs = 1;
	for (;;)
		if (port_recv(&p, in, 1000) > 0)
			board->got[0]++;
}

/* The receiver dies: the sender waits for its successor, and nothing that nobody took is lost. */
static void
pipe_receiver_killed(void)
{
	char name[NETMAP_REQ_IFNAMSIZ];
	uint8_t frame[FRAME_MIN], in[FRAME_ROOM];
	struct port p, q;
	uint64_t n = 0, next = 0;

	board = shared_memory(sizeof(*board));
	pipe_name(name, '{');
	port_open(&p, name);
	for (unsigned i = 0; i < PIPE_KILLS; i++) {
		uint64_t end = now_ms() + 3;
		pid_t victim;

		board->victim_runs = 0;
		victim = spawn(pipe_drain, NULL);
		wait_until(board->victim_runs, 10000);
		while (now_ms() < end) {
			frame_make(frame, sizeof(frame), 2, 1, n);
			if (port_put(&p, frame, sizeof(frame)))
				n++;
			port_txsync(&p);
		}
		stop_process(victim, SIGKILL);
	}
	check(board->got[0] > 0);
	pipe_name(name, '}');
	port_open(&q, name);
	while (port_recv(&q, in, 200) > 0) {
		check(frame_good(in, FRAME_MIN));
		check(next == 0 || frame_number(in) == next);
		next = frame_number(in) + 1;
	}
	for (unsigned i = 0; i < 3000; i++, n++) {
		frame_make(frame, sizeof(frame), 2, 1, n);
		port_send(&p, frame, sizeof(frame));
		check_eq(port_recv(&q, in, 1000), FRAME_MIN);
		check_eq(frame_number(in), n);
	}
}

static const struct test_case cases[] = {
	{ "killed", killed, 60, false },
	{ "stopped", stopped, 0, false },
	{ "pipe_sender_killed", pipe_sender_killed, 0, false },
	{ "pipe_receiver_killed", pipe_receiver_killed, 0, false },
};

static const char *const expected_log[] = { "unfinished lease", "ring restored", NULL };

TEST_MAIN(cases, expected_log)
