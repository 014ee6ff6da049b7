/* SPDX-License-Identifier: BSD-2-Clause */
/* The error tables as a list: see errno_row.h. */
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "errno_row.h"
#include "harness.h"
#include "port.h"

static const char *section;
static unsigned failed;

static const char *
name_of(int err)
{
	return err == 0 ? "no error" : strerrorname_np(err) != NULL ? strerrorname_np(err) : "?";
}

void
errno_section(const char *name)
{
	section = name;
}

static void
row_print(bool good, const char *text, const char *reference, const char *here, const char *why, const char *got)
{
	printf("%-6s %-32s %-66s %s", good ? "ok" : "FAILED", section, text, here);
	if (!good)
		printf(", got %s", got);
	if (why != NULL)
		printf(" (elsewhere %s: %s)", reference, why);
	printf("\n");
	failed += !good;
}

void
errno_row(const char *text, int reference, int here, const char *why, int got)
{
	row_print(got == here, text, name_of(reference), name_of(here), why, name_of(got));
}

void
errno_value(const char *text, long reference, long here, const char *why, long got)
{
	char texts[3][24];

	snprintf(texts[0], sizeof(texts[0]), "%ld", reference);
	snprintf(texts[1], sizeof(texts[1]), "%ld", here);
	snprintf(texts[2], sizeof(texts[2]), "%ld", got);
	row_print(got == here, text, texts[0], texts[1], why, texts[2]);
}

void
errno_left_out(const char *text, const char *why)
{
	printf("%-6s %-32s %-66s %s\n", "-", section, text, why);
}

void
errno_end(void)
{
	fflush(stdout);
	check_eq(failed, 0);
}

int
req_with(int fd, uint16_t type, const char *name, void *body, void *options)
{
	int own = fd < 0 ? device_open() : fd, err;
	struct nmreq_header h;

	nmreq_header_init(&h, type, body);
	strncpy(h.nr_name, name, sizeof(h.nr_name) - 1);
	h.nr_options = (uintptr_t)options;
	err = ERRNO_OF(ioctl(own, NIOCCTRL, &h));
	if (fd < 0)
		close(own);
	return err;
}

int
req(int fd, uint16_t type, const char *name, void *body)
{
	return req_with(fd, type, name, body, NULL);
}

int
reg_try(const char *name, struct nmreq_register reg)
{
	return req(-1, NETMAP_REQ_REGISTER, name, &reg);
}

static const struct test_case cases[] = {
	{ "ioctls", errno_ioctls, 0, false },
	{ "envelope", errno_envelope, 0, false },
	{ "register", errno_register, 0, false },
	{ "requests", errno_requests, 0, false },
	{ "options", errno_options, 0, false },
	{ "legacy", errno_legacy, 0, false },
	{ "descriptor", errno_descriptor, 0, false },
	{ "interfaces", errno_interfaces, 30, false },
};

/* Refused requests are logged with their reasons; the texts are other tests' business. */
static const char *const expected_log[] = {
	"request", "(error ", "persistent port ", "interface ", ": CSB mode", "switch ", "offloads", "parameter", NULL
};

TEST_MAIN(cases, expected_log)
