/* SPDX-License-Identifier: BSD-2-Clause */
/* The results as JSON, and figures of others read from lines of JSON. */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "bench.h"

static const char *const metric_keys[METRICS] = {
	"rx_pps", "tx_pps", "loss", "tx_cpu_ns_per_packet", "rx_cpu_ns_per_packet", "p50_ns", "p99_ns", "max_ns",
	"cpu_share", "bare", "ratio", "second", "second_ratio", "bits_per_second", "round_trip_before_ns", "round_trip_after_ns",
};

static const char *const kind_names[] = { "rate", "pingpong", "wakeup", "idle", "monitor", "nic", "forward", "stream" };
static const char *const path_names[] = {
	"pipe", "vale", "afxdp", "afxdp-generic", "afpacket", "veth", "bridge",
};
static const char *const wait_names[] = { "busy", "poll", "mixed", "epoll" };

static void
value_set(json_t *object, const char *key, double v)
{
	if (!isnan(v))
		json_object_set_new(object, key, json_real(v));
}

static json_t *
run_json(const struct bench_run *run)
{
	json_t *object = json_object();

	for (int m = 0; m < METRICS; m++)
		value_set(object, metric_keys[m], run->value[m]);
	json_object_set_new(object, "cores", json_string(cores_distance_name(run->distance)));
	if (run->note[0] != '\0')
		json_object_set_new(object, "note", json_string(run->note));
	return object;
}

static json_t *
case_json(const struct bench_case *c)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:b, s:b, s:i, s:i, s:i, s:i, s:i, s:i}",
	    "name", c->name, "kind", kind_names[c->kind], "path", path_names[c->path],
	    "wait", wait_names[c->wait], "touched", c->touch, "broadcast", c->broadcast,
	    "bytes", (int)c->len, "batch", (int)c->batch, "slots", (int)c->slots,
	    "senders", (int)c->senders, "ports", (int)c->ports, "pace_pps", (int)c->pace);
}

static json_t *
result_json(const struct bench_result *r)
{
	json_t *object = case_json(r->c), *runs = json_array(), *median = json_object();
	unsigned int used;

	if (r->message[0] != '\0')
		json_object_set_new(object, r->skipped ? "skipped" : "failed", json_string(r->message));
	for (unsigned int i = 0; i < r->runs; i++)
		json_array_append_new(runs, run_json(&r->run[i]));
	for (int m = 0; m < METRICS; m++)
		value_set(median, metric_keys[m], result_median(r, (enum bench_metric)m));
	json_object_set_new(object, "cores", json_string(cores_distance_name(result_distance(r, &used))));
	json_object_set_new(object, "runs_counted", json_integer(used));
	json_object_set_new(object, "median", median);
	json_object_set_new(object, "runs", runs);
	return object;
}

static void
cpu_model(char *text, size_t size)
{
	FILE *f = fopen("/proc/cpuinfo", "re");
	char line[256];

	snprintf(text, size, "unknown");
	if (f == NULL)
		return;
	while (fgets(line, sizeof(line), f) != NULL) {
		char *value = strchr(line, ':');

		if (strncmp(line, "model name", 10) != 0 || value == NULL)
			continue;
		value[strcspn(value, "\n")] = '\0';
		snprintf(text, size, "%s", value + 1 + strspn(value + 1, " "));
		break;
	}
	fclose(f);
}

static json_t *
machine_json(const struct bench_options *o)
{
	struct utsname u;
	char model[128];

	if (uname(&u) != 0)
		memset(&u, 0, sizeof(u));
	cpu_model(model, sizeof(model));
	return json_pack("{s:s, s:s, s:s, s:i, s:i, s:[i, i]}", "cpu", model, "arch", u.machine, "kernel", u.release,
	    "cpus", (int)sysconf(_SC_NPROCESSORS_ONLN), "receiver_cpu", o->cores.rx,
	    "sender_cpus", o->cores.tx[0], o->cores.tx[1]);
}

int
report_json(const struct bench_options *o, const struct bench_result *results, size_t n,
    const struct bench_figure *figures, size_t n_figures)
{
	json_t *root = json_object(), *cases = json_array(), *others = json_array();
	int ret;

	for (size_t i = 0; i < n; i++)
		json_array_append_new(cases, result_json(&results[i]));
	for (size_t i = 0; i < n_figures; i++) {
		json_t *object = json_pack("{s:s}", "name", figures[i].name);

		if (isnan(figures[i].value)) {
			json_object_set_new(object, "skipped", json_string(figures[i].note));
		} else {
			value_set(object, "value", figures[i].value);
			json_object_set_new(object, "unit", json_string(figures[i].unit));
			json_object_set_new(object, "cores", json_string(figures[i].note));
		}
		json_array_append_new(others, object);
	}
	json_object_set_new(root, "machine", machine_json(o));
	json_object_set_new(root, "seconds", json_real(o->seconds));
	json_object_set_new(root, "cases", cases);
	json_object_set_new(root, "beside", others);
	ret = json_dump_file(root, o->json_file, JSON_INDENT(1) | JSON_REAL_PRECISION(6)) == 0 ? 0 : -EIO;
	json_decref(root);
	return ret;
}

static int
figure_parse(const char *line, struct bench_figure *f)
{
	json_t *root = json_loads(line, 0, NULL);
	const char *name = NULL, *unit = "", *cores = "", *skipped = NULL;
	double value = NAN;
	int ret = -EINVAL;

	memset(f, 0, sizeof(*f));
	if (json_unpack(root, "{s:s, s?F, s?s, s?s, s?s}", "name", &name, "value", &value, "unit", &unit,
	    "cores", &cores, "skipped", &skipped) == 0 && (skipped != NULL || !isnan(value))) {
		snprintf(f->name, sizeof(f->name), "%s", name);
		snprintf(f->unit, sizeof(f->unit), "%s", unit);
		snprintf(f->note, sizeof(f->note), "%s", skipped != NULL ? skipped : cores);
		f->value = skipped != NULL ? (double)NAN : value;
		ret = 0;
	}
	json_decref(root);
	return ret;
}

int
figures_read(const char *file, struct bench_figure **figures, size_t *n)
{
	struct bench_figure *v = NULL, *grown;
	char line[1024];
	FILE *f = fopen(file, "re");
	int ret = 0;

	*n = 0;
	*figures = NULL;
	if (f == NULL)
		return -errno;
	while (ret == 0 && fgets(line, sizeof(line), f) != NULL) {
		if (line[0] == '\n')
			continue;
		grown = realloc(v, (*n + 1) * sizeof(*v));
		if (grown == NULL) {
			ret = -ENOMEM;
			break;
		}
		v = grown;
		ret = figure_parse(line, &v[*n]);
		if (ret == 0)
			(*n)++;
	}
	fclose(f);
	*figures = v;
	return ret;
}
