/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Parts that need no second process: the allocator of the arena's state memory, fault-safe copies, messages with descriptors.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/copy.h"
#include "host/message.h"
#include "netmapd/heap.h"

#define PAGE	4096u

static void
heap_classes(void **state)
{
	struct heap h;
	uint64_t last = 0;

	heap_init(&h, UINT64_C(16) << 30, PAGE);
	for (uint64_t size = 1; size <= UINT64_C(16) << 30; size += size / 64 + 1) {
		uint64_t chunk = heap_chunk_size(&h, size);

		assert_true(chunk >= size && chunk >= last);
		assert_int_equal(chunk % HEAP_ALIGN, 0);
		/* A quarter of the power of two below, and what rounds up to lines or pages. */
		assert_true(chunk <= size + size / 4 + HEAP_ALIGN || chunk <= size + size / 4 + PAGE);
		if (chunk >= HEAP_LARGE)
			assert_int_equal(chunk % PAGE, 0);
		last = chunk;
	}
	assert_int_equal(heap_chunk_size(&h, (UINT64_C(16) << 30) + 1), 0);
	heap_fini(&h);
}

#define LIVE	400

/* Random requests: chunks never overlap, and all of them come back. */
static void
heap_random(void **state)
{
	struct { uint64_t at, size; } live[LIVE] = { { 0, 0 } };
	struct heap h;
	uint64_t top;

	heap_init(&h, UINT64_C(64) << 20, PAGE);
	srandom(7);
	for (int i = 0; i < 20000; i++) {
		unsigned k = (unsigned)random() % LIVE;
		uint64_t size = 1 + (uint64_t)random() % (random() % 20 ? 3000 : 100000), at;
		bool fresh;

		if (live[k].size != 0) {
			heap_free(&h, live[k].at, live[k].size);
			live[k].size = 0;
			continue;
		}
		if (!heap_alloc(&h, size, &at, &fresh))
			continue;
		assert_int_equal(at % HEAP_ALIGN, 0);
		assert_true(at + heap_chunk_size(&h, size) <= h.top);
		for (unsigned j = 0; j < LIVE; j++)
			assert_true(live[j].size == 0 || at + heap_chunk_size(&h, size) <= live[j].at ||
				live[j].at + heap_chunk_size(&h, live[j].size) <= at);
		live[k].at = at;
		live[k].size = size;
	}
	for (unsigned k = 0; k < LIVE; k++)
		if (live[k].size != 0)
			heap_free(&h, live[k].at, live[k].size);
	assert_int_equal(h.used, 0);
	/* What is free is used again before anything new is. */
	top = h.top;
	for (unsigned k = 0; k < 10; k++) {
		bool fresh;

		assert_true(heap_alloc(&h, 1000, &live[0].at, &fresh));
		assert_false(fresh);
	}
	assert_int_equal(h.top, top);
	heap_fini(&h);
}

static void
heap_full(void **state)
{
	struct heap h;
	uint64_t at;
	bool fresh;
	unsigned n = 0;

	heap_init(&h, 1 << 20, PAGE);
	while (heap_alloc(&h, 65536, &at, &fresh))
		n++;
	assert_int_equal(n, 16);
	assert_false(heap_alloc(&h, 1, &at, &fresh));
	heap_free(&h, 0, 65536);
	assert_true(heap_alloc(&h, 65536, &at, &fresh));
	assert_int_equal(at, 0);
	assert_false(heap_alloc(&h, UINT64_MAX, &at, &fresh));
	heap_fini(&h);
}

static void
copies(void **state)
{
	size_t page = sysconf(_SC_PAGESIZE), n = 5 * page;
	char *p = mmap(NULL, n + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *buf = malloc(n);

	assert_ptr_not_equal(p, MAP_FAILED);
	assert_int_equal(mprotect(p + n, page, PROT_NONE), 0);
	for (int by_pipe = 0; by_pipe < 2; by_pipe++) {
		memset(p, 'a' + by_pipe, n);
		memset(buf, 0, n);
		assert_int_equal(by_pipe ? host_copy_by_pipe((uintptr_t)buf, (uintptr_t)p, n) : host_copy_in(buf, (uintptr_t)p, n), 0);
		assert_memory_equal(buf, p, n);
		memset(buf, 'x', n);
		assert_int_equal(by_pipe ? host_copy_by_pipe((uintptr_t)p, (uintptr_t)buf, n) : host_copy_out((uintptr_t)p, buf, n), 0);
		assert_memory_equal(buf, p, n);
		/* The last byte is one too many. */
		assert_int_equal(by_pipe ? host_copy_by_pipe((uintptr_t)buf, (uintptr_t)p + 1, n) :
			host_copy_in(buf, (uintptr_t)p + 1, n), -EFAULT);
		assert_int_equal(by_pipe ? host_copy_by_pipe((uintptr_t)p + 1, (uintptr_t)buf, n) :
			host_copy_out((uintptr_t)p + 1, buf, n), -EFAULT);
		assert_int_equal(by_pipe ? host_copy_by_pipe((uintptr_t)buf, 8, 1) : host_copy_in(buf, 8, 1), -EFAULT);
	}
	assert_int_equal(host_copy_in(buf, 8, 0), 0);
	assert_int_equal(host_copy_out(8, buf, 0), 0);
	free(buf);
	munmap(p, n + page);
}

static unsigned
open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

/* Descriptors are handed out or closed, whatever is wrong with their packet. */
static void
messages(void **state)
{
	char text[16] = "hello", got[16];
	struct iovec iov = { text, 6 };
	struct message_fds out = { .n = PROTO_FDS_MAX }, in;
	unsigned before;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	for (unsigned i = 0; i < PROTO_FDS_MAX; i++)
		out.fd[i] = pair[0];
	before = open_fds();
	assert_int_equal(message_send(pair[0], &iov, 1, &out, 0), 0);
	assert_int_equal(message_recv(pair[1], got, sizeof(got), &in, 0), 6);
	assert_int_equal(in.n, PROTO_FDS_MAX);
	assert_string_equal(got, "hello");
	assert_int_equal(open_fds(), before + PROTO_FDS_MAX);
	message_fds_close(&in);
	assert_int_equal(open_fds(), before);
	/* More bytes than there is room for. */
	assert_int_equal(message_send(pair[0], &iov, 1, &out, 0), 0);
	assert_int_equal(message_recv(pair[1], got, 3, &in, 0), -EMSGSIZE);
	assert_int_equal(in.n, 0);
	assert_int_equal(open_fds(), before);
	assert_int_equal(message_recv(pair[1], got, sizeof(got), &in, MSG_DONTWAIT), -EAGAIN);
	close(pair[0]);
	assert_int_equal(message_recv(pair[1], got, sizeof(got), &in, 0), 0);
	assert_int_equal(message_send(pair[1], &iov, 1, NULL, 0), -EPIPE);
	close(pair[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(heap_classes),
		cmocka_unit_test(heap_random),
		cmocka_unit_test(heap_full),
		cmocka_unit_test(copies),
		cmocka_unit_test(messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
