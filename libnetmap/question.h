/* SPDX-License-Identifier: BSD-2-Clause */
/* Questions to the netmapd that serves this process, or would, if it runs. See params.c. */
#ifndef LIBNETMAP_QUESTION_H
#define LIBNETMAP_QUESTION_H

#include <stddef.h>

/* Every public function is one of these, between entering and leaving the library. */
struct question {
	int (*ask)(void *arg);
	void *arg;
};

int question_put(const struct question *q);
/* The text in from[], which is a field of messages and full when it need not end, into a zeroed one. -ENAMETOOLONG. */
int question_name(char *to, size_t size, const char *from);

#endif /* LIBNETMAP_QUESTION_H */
