/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rates through the public API: the same work for each packet as in the bare
 * loop, so that the two can be divided by one another. What counts is what
 * the receiver got: a switch drops when the receiver is slow, so what the
 * senders offered is reported beside it.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bare_loop.h"
#include "bench.h"
#include "clock.h"
#include "crew.h"
#include "loop.h"
#include "port.h"
#include "rate.h"

int
rate_sender_role(struct crew_seat *seat)
{
	const struct rate_sender *arg = seat->arg;
	const uint32_t from = STATION_SENDER + arg->index;
	const uint32_t to = arg->c->broadcast ? STATION_ALL : STATION_RECEIVER;
	uint8_t header[BENCH_HEADER_LEN];
	struct bench_port port;
	int ret;

	if (port_open_sender(&port, arg->c, arg->index) != 0)
		return crew_fail(seat, "sender: %s", port_error());
	frame_header(header, from, to);
	port_prefill(&port, from, to);
	crew_ready(seat);
	ret = loop_send(seat, &port, arg->c, header);
	port_close(&port);
	return ret;
}

int
rate_receiver_role(struct crew_seat *seat)
{
	const struct bench_case *c = seat->arg;
	/* a pipe has two ends, so each sender has its own; a switch has one port for all of them */
	const unsigned int n = c->path == BENCH_PIPE ? c->senders : 1;
	struct bench_port ports[BARE_MAX_SENDERS];
	unsigned int opened;
	int ret = 0;

	for (opened = 0; opened < n; opened++) {
		if (port_open_receiver(&ports[opened], c, opened) != 0) {
			ret = crew_fail(seat, "receiver: %s", port_error());
			goto err_close;
		}
	}
	if (c->path == BENCH_VALE && port_announce(&ports[0], STATION_RECEIVER, STATION_ALL) != 0) {
		ret = crew_fail(seat, "receiver: %s", strerror(errno));
		goto err_close;
	}
	crew_ready(seat);
	ret = loop_receive(seat, ports, n, c);
err_close:
	while (opened-- > 0)
		port_close(&ports[opened]);
	return ret;
}

/*
 * Makes the pages of the port's receive buffers be there. They come when they are first written, by the sender of a broadcast, which for 252 ports
 * takes longer than a run: the kernel's clearing of half a gigabyte would be what is measured.
 */
static void
buffers_touch(const struct bench_port *p)
{
	for (uint32_t i = 0; i < p->rx->num_slots; i++)
		*(volatile char *)NETMAP_BUF(p->rx, p->rx->slot[i].buf_idx) = 0;
}

/* Holds all ports of the switch but those of the receiver and the senders. */
static int
idle_role(struct crew_seat *seat)
{
	const struct bench_case *c = seat->arg;
	const unsigned int n = c->ports - 1 - c->senders;
	struct bench_port *ports = calloc(n, sizeof(*ports));
	unsigned int opened = 0;
	int ret = 0;

	if (ports == NULL)
		return crew_fail(seat, "no memory");
	for (; opened < n; opened++) {
		if (port_open_idle(&ports[opened], c, opened) != 0) {
			ret = crew_fail(seat, "idle port %u: %s", opened, port_error());
			goto err_close;
		}
		port_announce(&ports[opened], STATION_IDLE + opened, STATION_RECEIVER);
		if (c->broadcast)
			buffers_touch(&ports[opened]);
	}
	crew_ready(seat);
	while (!crew_stopped(seat))
		clock_sleep_ns(20000000);
err_close:
	while (opened-- > 0)
		port_close(&ports[opened]);
	free(ports);
	return ret;
}

static int
crew_man(struct crew *crew, const struct bench_case *c, const struct cores *cores, struct rate_sender *args)
{
	const enum crew_share share = c->senders > 1 && cores->tx[0] == cores->tx[1] ? CREW_YIELD : CREW_ALONE;
	int ret = crew_add(crew, rate_receiver_role, c, cores->rx, CREW_ALONE);

	for (unsigned int i = 0; i < c->senders && ret == 0; i++) {
		args[i] = (struct rate_sender){ .c = c, .index = i };
		ret = crew_add(crew, rate_sender_role, &args[i], cores->tx[i], share);
	}
	if (ret == 0 && c->ports > 1 + c->senders)
		ret = crew_add(crew, idle_role, c, cores->rx, CREW_ALONE);
	return ret;
}

static void
rate_store(const struct bench_case *c, const struct rate *rate, struct bench_run *run)
{
	run->value[METRIC_RX_PPS] = rate->rx_pps;
	run->value[METRIC_TX_PPS] = rate->tx_pps;
	/* a pipe never drops: the difference is what is under way */
	run->value[METRIC_LOSS] = c->path == BENCH_PIPE ? 0 : rate->loss;
	run->value[METRIC_RX_CPU_NS] = rate->rx_cpu_ns;
	run->value[METRIC_TX_CPU_NS] = rate->tx_cpu_ns;
	if (c->wait == BENCH_BUSY)
		run->value[METRIC_CPU_SHARE] = fmin(run->value[METRIC_CPU_SHARE], rate->cpu_share);
}

int
bench_rate_run(const struct bench_case *c, const struct bench_options *o, struct bench_run *run, char *message)
{
	struct rate_sender args[BARE_MAX_SENDERS];
	struct rate rate;
	struct crew crew;
	int ret = crew_init(&crew), stopped;

	if (ret != 0)
		goto out;
	ret = crew_man(&crew, c, &o->cores, args);
	if (ret == 0)
		rate_count(&crew, c->senders, o->seconds, &rate);
	stopped = crew_stop(&crew);
	if (ret == 0)
		ret = stopped;
	if (ret == 0) {
		rate_add_cpu(&crew, c->senders, &rate);
		rate_store(c, &rate, run);
	}
	crew_fini(&crew);
out:
	snprintf(message, BENCH_MESSAGE_MAX, "%s", ret == 0 ? "" : crew.message);
	return ret;
}
