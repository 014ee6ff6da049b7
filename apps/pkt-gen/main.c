/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pkt-gen: sends and receives packets as fast as a port can, or at a given rate, and says how fast that was.
 *
 * The main thread opens the ports, starts a worker for each thread asked for, reports, and collects. Signals
 * go to the main thread; it wakes workers that sleep in poll() with WAKE_SIGNAL, again until they are done,
 * since the first may come just before they sleep.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../common/clock.h"
#include "affinity.h"
#include "pacing.h"
#include "pcap_file.h"
#include "report.h"
#include "worker.h"

#define WAKE_SIGNAL	SIGUSR1
#define WAKE_EVERY_NS	(10 * NS_PER_MS)

struct generator {
	struct options opt;
	struct device dev;
	struct frame_file file;
	struct worker *workers;
	unsigned started;
	int error;
};

static void wake_handler(int sig)
{
	(void)sig;
}

static int worker_work(struct worker *w)
{
	switch (w->opt->mode) {
	case MODE_TX:
	case MODE_TXSEQ:
		return sender_run(w);
	case MODE_PING:
		return ping_run(w);
	case MODE_PONG:
		return pong_run(w);
	case MODE_RX:
	case MODE_RXSEQ:
		break;
	}
	return receiver_run(w);
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;
	int cpu = affinity_cpu(w->opt, w->id, affinity_cpus());
	int rc = cpu < 0 ? 0 : affinity_bind(cpu);

	if (rc)
		fprintf(stderr, "pkt-gen: cannot run on cpu %d: %s: choose another with -a\n", cpu,
			strerror(-rc));
	else
		rc = worker_work(w);
	w->error = rc;
	__atomic_store_n(&w->done, true, __ATOMIC_RELEASE);
	stop_notify();
	return NULL;
}

static void worker_prepare(struct generator *g, struct worker *w, unsigned id)
{
	const struct options *o = &g->opt;

	w->opt = o;
	w->dev = &g->dev;
	w->port = g->dev.kind == DEVICE_NETMAP ? g->dev.ports[id] : NULL;
	w->id = id;
	w->limit = share_of(o->count, id, o->threads);
	w->rate = share_of(o->rate, id, o->threads);
	w->burst = w->rate && !o->burst_given ? pacer_burst(w->rate) : o->burst;
	w->file = o->payload_file ? &g->file : NULL;
	counters_init(&w->count);
}

/* Starts all workers, with the signals that end the program blocked in them. */
static int workers_start(struct generator *g)
{
	sigset_t set, old;
	int rc = 0;

	g->workers = aligned_alloc(_Alignof(struct worker), g->opt.threads * sizeof(*g->workers));
	if (!g->workers) {
		fprintf(stderr, "pkt-gen: no memory for %u threads\n", g->opt.threads);
		return -ENOMEM;
	}
	memset(g->workers, 0, g->opt.threads * sizeof(*g->workers));
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &set, &old);
	while (rc == 0 && g->started < g->opt.threads) {
		struct worker *w = &g->workers[g->started];

		worker_prepare(g, w, g->started);
		rc = pthread_create(&w->thread, NULL, worker_main, w);
		if (rc == 0)
			g->started++;
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc)
		fprintf(stderr, "pkt-gen: cannot start thread %u: %s: use fewer (-p)\n", g->started,
			strerror(rc));
	return -rc;
}

static struct counts counts_take(struct generator *g)
{
	struct counts sum = { .min_space = UINT32_MAX };

	for (unsigned i = 0; i < g->started; i++)
		counters_take(&g->workers[i].count, &sum);
	return sum;
}

/* Notes failures: one worker's is the end for all. Returns how many are still at work. */
static unsigned workers_running(struct generator *g)
{
	unsigned running = 0;

	for (unsigned i = 0; i < g->started; i++) {
		const struct worker *w = &g->workers[i];

		if (!__atomic_load_n(&w->done, __ATOMIC_ACQUIRE)) {
			running++;
		} else if (w->error && !g->error) {
			g->error = w->error;
			stop_request();
		}
	}
	return running;
}

static void workers_wake(struct generator *g)
{
	for (unsigned i = 0; i < g->started; i++) {
		if (!__atomic_load_n(&g->workers[i].done, __ATOMIC_ACQUIRE))
			pthread_kill(g->workers[i].thread, WAKE_SIGNAL);
	}
}

/* Until all workers are done: a line each interval, and after a request to end a nudge now and then. */
static void workers_watch(struct generator *g)
{
	struct rate_history history = { .count = 0 };
	struct counts from = counts_take(g), to;
	uint64_t interval = g->opt.report_ms * NS_PER_MS;
	uint64_t start = clock_now_ns(), due = start + interval;
	char line[512];

	while (workers_running(g)) {
		uint64_t now = clock_now_ns();

		if (stop_requested)
			workers_wake(g);
		if (!stop_wait_until(stop_requested && due > now + WAKE_EVERY_NS ? now + WAKE_EVERY_NS : due))
			continue;
		now = clock_now_ns();
		if (now < due)
			continue;
		to = counts_take(g);
		report_format(line, sizeof(line), &g->opt, &from, &to, (now - start) / NS_PER_US, &history);
		printf("%s\n", line);
		from = to;
		start = now;
		due = now + interval;
	}
	for (unsigned i = 0; i < g->started; i++)
		pthread_join(g->workers[i].thread, NULL);
}

/* From the first packet of any worker to the last of any. */
static void final_print(struct generator *g)
{
	struct counts total = counts_take(g);
	uint64_t first = UINT64_MAX, last = 0;
	char text[512];

	for (unsigned i = 0; i < g->started; i++) {
		const struct worker *w = &g->workers[i];

		if (w->first_ns && w->first_ns < first)
			first = w->first_ns;
		if (w->last_ns > last)
			last = w->last_ns;
	}
	report_format_final(text, sizeof(text), &g->opt,
			    options_is_sender(&g->opt) || g->opt.mode == MODE_PONG ? "Sent" : "Received",
			    &total, last > first ? last - first : 0);
	printf("%s\n", text);
	for (unsigned i = 0; g->opt.mode == MODE_RXSEQ && i < g->started; i++)
		sequence_print(&g->workers[i].sequence, stdout);
}

static int payload_load(struct generator *g)
{
	char err[PCAP_FILE_ERR_MAX];
	int rc;

	if (!g->opt.payload_file)
		return 0;
	rc = frame_file_load(&g->file, g->opt.payload_file, g->dev.vnet_len, err);
	if (rc)
		fprintf(stderr, "pkt-gen: -P: %s\n", err);
	return rc;
}

static void link_wait(const struct generator *g)
{
	unsigned seconds = device_link_wait(&g->dev, &g->opt);

	if (seconds == 0)
		return;
	printf("Waiting %u seconds for the link (-w)\n", seconds);
	stop_sleep(seconds);
}

static int generator_run(struct generator *g)
{
	int rc = device_open(&g->dev, &g->opt);

	if (rc)
		return rc;
	if (!g->opt.src_mac_given)
		mac_range_set(&g->opt.src_mac, g->dev.mac);
	rc = payload_load(g);
	if (rc)
		goto out_close;
	device_describe(&g->dev, &g->opt);
	link_wait(g);
	rc = workers_start(g);
	if (rc)
		stop_request();
	workers_watch(g);
	if (rc == 0)
		rc = g->error;
	final_print(g);
	free(g->workers);
	frame_file_free(&g->file);
out_close:
	/* What could not be written to a file is a failure too. */
	if (device_close(&g->dev) && rc == 0)
		rc = -EIO;
	return rc;
}

int main(int argc, char **argv)
{
	static struct generator g;
	struct sigaction wake = { .sa_handler = wake_handler, .sa_flags = SA_RESTART };
	int rc = options_parse(&g.opt, argc, argv, stdout, stderr);

	if (rc)
		return rc > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
	/* Lines appear when they are printed, also in a pipe. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	stop_install();
	sigaction(WAKE_SIGNAL, &wake, NULL);
	return generator_run(&g) ? EXIT_FAILURE : EXIT_SUCCESS;
}
