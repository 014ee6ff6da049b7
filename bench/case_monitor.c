/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a monitor costs the port that it shows: packets a second from end to
 * end with it, beside the same without it (A B A B).
 *
 * Three processes are at it, the two ends and the monitor's reader. What is
 * asked is what the ends pay, not what it costs to have a CPU less, so a third
 * process is there in both halves. Without a monitor it does comparable work:
 * for each packet that arrives at the receiver it reads a slot and the first
 * word of a buffer, of a port of its own.
 *
 *	read	With three CPUs each process has one. With two, the third shares
 *		that of the end whose syncs do the monitor's work, and they give
 *		it to one another every second batch: so this end is the busiest
 *		and what it pays is not hidden behind the other's work.
 *	apart	Both ends are one process on one CPU and take turns, the third has
 *		the other CPU. Without a monitor no cache line leaves the first
 *		CPU, with one every frame does: this is what moving frames
 *		to another CPU costs at all, and the worst case.
 *	ignored	The third has the monitor open and sleeps; a CPU for each end.
 *	closed	It had the monitor open, and sleeps.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bench.h"
#include "clock.h"
#include "crew.h"
#include "loop.h"
#include "port.h"
#include "rate.h"

#define TICK_NS	20000000ull

struct half {
	const struct bench_case *c;
	bool monitored;
};

static int
ends_role(struct crew_seat *seat)
{
	const struct bench_case *c = seat->arg;
	struct bench_port tx, rx;
	uint8_t header[BENCH_HEADER_LEN];
	int ret = -1;

	if (port_open_receiver(&rx, c, 0) != 0)
		return crew_fail(seat, "receiver: %s", port_error());
	if (port_open_sender(&tx, c, 0) != 0) {
		crew_fail(seat, "sender: %s", port_error());
		goto err_close_rx;
	}
	if (c->path == BENCH_VALE && port_announce(&rx, STATION_RECEIVER, STATION_ALL) != 0) {
		crew_fail(seat, "receiver: %s", strerror(errno));
		goto err_close_tx;
	}
	frame_header(header, STATION_SENDER, STATION_RECEIVER);
	port_prefill(&tx, STATION_SENDER, STATION_RECEIVER);
	crew_ready(seat);
	ret = loop_exchange(seat, &tx, &rx, c, header);
err_close_tx:
	port_close(&tx);
err_close_rx:
	port_close(&rx);
	return ret;
}

static int
reader_role(struct crew_seat *seat)
{
	const struct half *half = seat->arg;
	struct bench_port port;
	int ret;

	if (port_open_monitor(&port, half->c) != 0)
		return crew_fail(seat, "monitor: %s", port_error());
	crew_ready(seat);
	ret = loop_receive(seat, &port, 1, half->c);
	port_close(&port);
	return ret;
}

/* Reads n slots of a ring from index i on, as if they had just come. Returns the next index. */
static uint32_t
slots_read(const struct netmap_ring *ring, uint32_t i, uint64_t n, uint64_t *sum)
{
	for (; n > 0; n--) {
		const struct netmap_slot *slot = &ring->slot[i];
		uint64_t word;

		memcpy(&word, NETMAP_BUF(ring, slot->buf_idx), sizeof(word));
		*sum += word + slot->len + slot->flags;
		i = nm_ring_next(ring, i);
	}
	return i;
}

static int
other_work_role(struct crew_seat *seat)
{
	const struct half *half = seat->arg;
	const uint64_t *packets = &seat->shared->member[0].packets;
	uint64_t done = 0, n, sum = 0;
	struct bench_port port;
	uint32_t i = 0;

	if (port_open_idle(&port, half->c, 0) != 0)
		return crew_fail(seat, "idle port: %s", port_error());
	crew_ready(seat);
	while (!crew_stopped(seat)) {
		if (port_receive(&port) < 0)
			return crew_fail(seat, "idle port: %s", strerror(errno));
		n = __atomic_load_n(packets, __ATOMIC_RELAXED) - done;
		if (n == 0)
			crew_idle(seat);
		/* what a monitor's reader missed is lost to it */
		done += n;
		n = n < half->c->batch ? n : half->c->batch;
		i = slots_read(port.rx, i, n, &sum);
		crew_turn(seat);
	}
	__asm__ volatile("" : : "r"(sum));
	port_close(&port);
	return 0;
}

/* Has the monitor, or had it, and does nothing. */
static int
sleeper_role(struct crew_seat *seat)
{
	const struct half *half = seat->arg;
	struct bench_port port;
	bool open = half->monitored;

	if (open && port_open_monitor(&port, half->c) != 0)
		return crew_fail(seat, "monitor: %s", port_error());
	if (open && half->c->watch == WATCH_CLOSED) {
		port_close(&port);
		open = false;
	}
	crew_ready(seat);
	while (!crew_stopped(seat))
		clock_sleep_ns(TICK_NS);
	if (open)
		port_close(&port);
	return 0;
}

/* The CPUs of a half, and who shares one with the third process. */
struct places {
	int rx, tx, third;
	enum crew_share rx_share, tx_share, third_share;
	bool one_process;
};

static struct places
places_choose(const struct bench_case *c, const struct cores *cores)
{
	/* a zero-copy monitor gets what was received when it is given back, by the receiver; the sender does all the rest */
	const bool rx_pays = c->watch_rx && !c->watch_copy;
	struct places p = { .rx = cores->rx, .tx = cores->tx[0], .third = cores->tx[1] };

	p.one_process = c->watch == WATCH_APART;
	if (c->watch != WATCH_READ || cores->tx[0] != cores->tx[1])
		return p;
	p.third = rx_pays ? p.rx : p.tx;
	p.third_share = CREW_TURNS;
	if (rx_pays)
		p.rx_share = CREW_TURNS;
	else
		p.tx_share = CREW_TURNS;
	return p;
}

static int
crew_man(struct crew *crew, const struct half *half, const struct rate_sender *sender, const struct places *p)
{
	const struct bench_case *c = half->c;
	crew_role *third = half->monitored ? reader_role : other_work_role;
	int ret;

	if (c->watch == WATCH_IGNORE || c->watch == WATCH_CLOSED)
		third = sleeper_role;
	ret = crew_add(crew, p->one_process ? ends_role : rate_receiver_role, c, p->rx, p->rx_share);
	if (ret == 0 && !p->one_process)
		ret = crew_add(crew, rate_sender_role, sender, p->tx, p->tx_share);
	if (ret == 0)
		ret = crew_add(crew, third, half, p->third, p->third_share);
	return ret;
}

/* Measures one half. *seen: packets a second that the reader saw. */
static int
half_run(const struct half *half, const struct bench_options *o, struct rate *rate, double *seen, char *message)
{
	const struct rate_sender sender = { .c = half->c };
	const struct places places = places_choose(half->c, &o->cores);
	const unsigned int senders = places.one_process ? 0 : 1;
	const struct crew_member *reader;
	struct crew crew;
	int ret = crew_init(&crew), stopped;

	if (ret != 0)
		goto out;
	ret = crew_man(&crew, half, &sender, &places);
	if (ret == 0)
		rate_count(&crew, senders, o->seconds, rate);
	stopped = crew_stop(&crew);
	if (ret == 0)
		ret = stopped;
	if (ret == 0) {
		reader = &crew.shared->member[1 + senders];
		rate_add_cpu(&crew, senders, rate);
		*seen = reader->wall_ns > 0 ? (double)reader->cpu_packets * 1e9 / (double)reader->wall_ns : 0;
	}
	crew_fini(&crew);
out:
	snprintf(message, BENCH_MESSAGE_MAX, "%s", ret == 0 ? "" : crew.message);
	return ret;
}

/* Of a CPU that is shared nobody has all. */
static void
cpu_share_store(const struct bench_case *c, const struct bench_options *o, const struct rate *rate,
    struct bench_run *run)
{
	if (places_choose(c, &o->cores).third_share == CREW_ALONE)
		run->value[METRIC_CPU_SHARE] = fmin(run->value[METRIC_CPU_SHARE], rate->cpu_share);
}

int
bench_unmonitored_run(const struct bench_case *c, const struct bench_options *o, struct bench_run *run)
{
	const struct half half = { .c = c, .monitored = false };
	char message[BENCH_MESSAGE_MAX];
	struct rate rate;
	double seen;
	int ret = half_run(&half, o, &rate, &seen, message);

	if (ret == 0) {
		run->value[METRIC_BARE] = rate.rx_pps;
		cpu_share_store(c, o, &rate, run);
	}
	return ret;
}

int
bench_monitor_run(const struct bench_case *c, const struct bench_options *o, struct bench_run *run, char *message)
{
	const struct half half = { .c = c, .monitored = true };
	struct places places;
	struct rate rate;
	double seen;
	int ret = half_run(&half, o, &rate, &seen, message);

	if (ret != 0)
		return ret;
	run->value[METRIC_RX_PPS] = rate.rx_pps;
	run->value[METRIC_RX_CPU_NS] = rate.rx_cpu_ns;
	run->value[METRIC_TX_CPU_NS] = rate.tx_cpu_ns;
	cpu_share_store(c, o, &rate, run);
	if (c->watch == WATCH_READ || c->watch == WATCH_APART)
		run->value[METRIC_SECOND] = seen;
	places = places_choose(c, &o->cores);
	if (places.third_share != CREW_ALONE)
		snprintf(run->note, sizeof(run->note), "reader on the %s's CPU",
		    places.third == places.rx ? "receiver" : "sender");
	return 0;
}
