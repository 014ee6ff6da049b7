/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages that break the protocol: their connection ends, nobody else notices, and netmapd keeps none of the descriptors that came along.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "wire.h"

static void
without_hello(void)
{
	struct proto_hello hello = { .layout = ARENA_LAYOUT };
	struct proto_header hdr = { .magic = PROTO_MAGIC, .version = PROTO_VERSION, .type = PROTO_INFO };
	static char large[65536];
	struct message_fds many = { .n = PROTO_FDS_MAX };
	int sock;

	/* Too short, wrong magic, version, an error in a request, unknown types. */
	CHECK(send(sock = wire_dial(), "abc", 3, 0) == 3);
	wire_ended(sock);
	for (int i = 0; i < 6; i++) {
		struct proto_header bad = hdr;

		bad.type = PROTO_HELLO;
		switch (i) {
		case 0:
			bad.magic++;
			break;
		case 1:
			bad.version++;
			break;
		case 2:
			bad.error = EPERM;
			break;
		case 3:
			bad.type = 0;
			break;
		case 4:
			bad.type = PROTO_TYPES;
			break;
		case 5:
			bad.type = 0xffff;
			break;
		}
		CHECK(send(sock = wire_dial(), &bad, sizeof(bad), 0) == sizeof(bad));
		wire_ended(sock);
	}
	/* Something else before HELLO; HELLO too short, too long, with flags, with descriptors. */
	wire_put(sock = wire_dial(), PROTO_INFO, NULL, 0, NULL);
	wire_ended(sock);
	wire_put(sock = wire_dial(), PROTO_HELLO, &hello, sizeof(hello) - 1, NULL);
	wire_ended(sock);
	wire_put(sock = wire_dial(), PROTO_HELLO, large, 100, NULL);
	wire_ended(sock);
	wire_put(sock = wire_dial(), PROTO_HELLO, large, sizeof(large), NULL);
	wire_ended(sock);
	hello.flags = 1;
	wire_put(sock = wire_dial(), PROTO_HELLO, &hello, sizeof(hello), NULL);
	wire_ended(sock);
	hello.flags = 0;
	for (unsigned i = 0; i < many.n; i++)
		many.fd[i] = STDERR_FILENO;
	wire_put(sock = wire_dial(), PROTO_HELLO, &hello, sizeof(hello), &many);
	wire_ended(sock);
	/* An empty packet ends a connection, too. */
	CHECK(send(sock = wire_dial(), "", 0, 0) == 0);
	wire_ended(sock);
}

static void
wrong_layout(void)
{
	struct proto_hello hello = { .layout = ARENA_LAYOUT + 1 };
	struct proto_hello_reply r;
	int sock = wire_dial();

	wire_put(sock, PROTO_HELLO, &hello, sizeof(hello), NULL);
	CHECK(wire_get(sock, PROTO_HELLO, &r, sizeof(r), NULL) == EPROTO);
	CHECK(strstr(r.text, "version") != NULL);
	/* Refused is not greeted. */
	wire_put(sock, PROTO_INFO, NULL, 0, NULL);
	wire_ended(sock);
}

/* Messages that end a greeted connection. */
static void
greeted_bad(void)
{
	struct { uint16_t type; uint32_t body; size_t size; unsigned fds; } bad[] = {
		{ PROTO_HELLO, ARENA_LAYOUT, 8, 0 },
		{ PROTO_THREAD, 1, 0, 0 },
		{ PROTO_THREAD, 1, 8, 0 },
		{ PROTO_THREAD, 1, 4, 1 },
		{ PROTO_THREAD_FD, 1, 4, 0 },
		{ PROTO_THREAD_FD, 4095, 4, 1 },
		{ PROTO_THREAD_FD, 0, 4, 1 },
		{ PROTO_THREAD_FD, UINT32_MAX, 4, 1 },
		{ PROTO_THREAD_EXIT, 4000, 4, 0 },
		{ PROTO_THREAD_EXIT, UINT32_MAX, 4, 0 },
		{ PROTO_OPEN, 0, 0, 2 },
		{ PROTO_OPEN, 0, 4, 0 },
		{ PROTO_OPEN, 0, 0, 1 },		/* a file, no network namespace */
		{ PROTO_ATTACH, 0, 0, 0 },
		{ PROTO_ATTACH, 0, 0, 2 },
		{ PROTO_REQUEST, 1, 0, 0 },
		{ PROTO_REQUEST, 1, 8, 0 },
		{ PROTO_REQUEST, 1, 64, 0 },
		{ PROTO_REQUEST, 1, 200, 0 },
		{ PROTO_REQUEST, 1, 200, 1 },
		{ PROTO_REQUEST, 1, 5000, 0 },
		{ PROTO_REGION, 1, 4, 0 },
		{ PROTO_MMAP, 1, 8, 0 },
		{ PROTO_WAKE, ACTOR_MAX + 1, 4, 0 },
		{ PROTO_NIC, 1, 0, 0 },
		{ PROTO_STATS, 1, 1, 0 },
		{ PROTO_INFO, 0, 0, 1 },
		{ 999, 0, 0, 0 },
	};
	static uint32_t body[2048];
	struct message_fds fds = { .fd = { STDERR_FILENO, STDERR_FILENO } };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int sock = wire_dial_greeted();

		memset(body, 0, sizeof(body));
		body[0] = bad[i].body;
		fds.n = bad[i].fds;
		wire_put(sock, bad[i].type, body, bad[i].size, &fds);
		wire_ended(sock);
	}
}

/* Well formed, but of nothing that is there: an error, and the connection goes on. */
static void
greeted_unknown(void)
{
	struct proto_session session = { .session = 0xfffffff0 };
	struct proto_region region = { .no = 4095, .generation = 7 };
	struct proto_nic nic = { .port = 12345 };
	struct proto_actor actor = { .actor = ACTOR_MAX };
	struct proto_info_reply info;
	struct message_fds fds = { .n = 1, .fd = { STDERR_FILENO } };
	int sock = wire_dial_greeted();

	wire_put(sock, PROTO_MMAP, &session, sizeof(session), NULL);
	CHECK(wire_get(sock, PROTO_MMAP, NULL, 0, NULL) == ENXIO);
	wire_put(sock, PROTO_REGION, &region, sizeof(region), NULL);
	CHECK(wire_get(sock, PROTO_REGION, NULL, 0, NULL) == ENXIO);
	region.no = UINT32_MAX;
	wire_put(sock, PROTO_REGION, &region, sizeof(region), NULL);
	CHECK(wire_get(sock, PROTO_REGION, NULL, 0, NULL) == ENXIO);
	wire_put(sock, PROTO_NIC, &nic, sizeof(nic), NULL);
	CHECK(wire_get(sock, PROTO_NIC, NULL, 0, NULL) == ENXIO);
	wire_put(sock, PROTO_ATTACH, NULL, 0, &fds);
	CHECK(wire_get(sock, PROTO_ATTACH, NULL, 0, NULL) == ENOTTY);
	fds.fd[0] = sock;
	wire_put(sock, PROTO_ATTACH, NULL, 0, &fds);
	CHECK(wire_get(sock, PROTO_ATTACH, NULL, 0, NULL) == ENOTTY);
	wire_put(sock, PROTO_WAKE, &actor, sizeof(actor), NULL);
	wire_put(sock, PROTO_INFO, NULL, 0, NULL);
	CHECK(wire_get(sock, PROTO_INFO, &info, sizeof(info), NULL) == 0);
	CHECK(strcmp(info.socket, wire_path()) == 0);
	close(sock);
}

/* Another's thread is not to be touched; one's own is given and taken. */
static void
threads(void)
{
	struct proto_thread t = { .tid = 1 };
	struct proto_thread_reply r;
	struct proto_actor a;
	struct message_fds fds = { .n = 1 };
	int one = wire_dial_greeted(), two = wire_dial_greeted();

	wire_put(one, PROTO_THREAD, &t, sizeof(t), NULL);
	CHECK(wire_get(one, PROTO_THREAD, &r, sizeof(r), NULL) == 0);
	a.actor = r.actor;
	wire_put(two, PROTO_THREAD_EXIT, &a, sizeof(a), NULL);
	wire_ended(two);
	fds.fd[0] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	wire_put(one, PROTO_THREAD_FD, &a, sizeof(a), &fds);
	CHECK(wire_get(one, PROTO_THREAD_FD, NULL, 0, NULL) == 0);
	wire_put(one, PROTO_WAKE, &a, sizeof(a), NULL);
	CHECK(poll(&(struct pollfd){ .fd = fds.fd[0], .events = POLLIN }, 1, 10000) == 1);
	close(fds.fd[0]);
	wire_put(one, PROTO_THREAD_EXIT, &a, sizeof(a), NULL);
	wire_put(one, PROTO_THREAD_EXIT, &a, sizeof(a), NULL);
	wire_ended(one);
}

/* --- files that are no memory --- */

#define MEMORY	(12u << 20)

/* REGISTER of vale0:m with the EXTMEM option, its memory `size` bytes from `offset` of that file (-1: none comes along). */
static void
put_memory(int sock, uint32_t session, int fd, uint64_t offset, uint64_t size)
{
	struct message_fds fds = { .n = fd >= 0, .fd = { fd } };
	struct proto_request q = { .session = session };
	struct nmreq_register reg = { .nr_mode = NR_REG_ALL_NIC };
	struct nmreq_opt_extmem opt = { .nro_opt.nro_reqtype = NETMAP_REQ_OPT_EXTMEM, .nro_usrptr = offset, .nro_info.nr_memsize = size };

	q.msg.len = REQUEST_MSG_MIN + sizeof(reg) + sizeof(opt);
	q.msg.nopts = 1;
	q.msg.body_size = sizeof(reg);
	q.msg.hdr.nr_version = NETMAP_API;
	q.msg.hdr.nr_reqtype = NETMAP_REQ_REGISTER;
	memcpy(q.msg.hdr.nr_name, "vale0:m", 8);
	memcpy(q.msg.data, &reg, sizeof(reg));
	memcpy(q.msg.data + sizeof(reg), &opt, sizeof(opt));
	wire_put(sock, PROTO_REQUEST, &q, offsetof(struct proto_request, msg) + q.msg.len, &fds);
}

static int
memory_try(int sock, uint32_t session, int fd, uint64_t offset, uint64_t size)
{
	put_memory(sock, session, fd, offset, size);
	return wire_get(sock, PROTO_REQUEST, NULL, offsetof(struct proto_request_reply, msg) + REQUEST_MSG_MIN + sizeof(struct nmreq_register) +
		sizeof(struct nmreq_opt_extmem), NULL);
}

static int
memory_file(unsigned flags, off_t size)
{
	int fd = memfd_create("memory", MFD_CLOEXEC | flags);

	CHECK(fd >= 0 && ftruncate(fd, size) == 0);
	return fd;
}

static void
memory_refused(void)
{
	struct proto_hello hello = { .layout = ARENA_LAYOUT };
	struct proto_hello_reply hr;
	char name[64];
	struct message_fds state;
	int sock = wire_dial(), app, fd = memory_file(MFD_ALLOW_SEALING, MEMORY), other, pair[2];
	uint32_t session;

	wire_put(sock, PROTO_HELLO, &hello, sizeof(hello), NULL);
	CHECK(wire_get(sock, PROTO_HELLO, &hr, sizeof(hr), &state) == 0 && state.n == 1);
	session = wire_session(sock, -1, &app);
	/* No file at all, of the kinds that there are. */
	other = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK(memory_try(sock, session, other, 0, MEMORY) == EINVAL);
	close(other);
	other = open("/dev/zero", O_RDWR | O_CLOEXEC);
	CHECK(memory_try(sock, session, other, 0, MEMORY) == EINVAL);
	close(other);
	CHECK(pipe(pair) == 0);
	CHECK(memory_try(sock, session, pair[1], 0, MEMORY) == EINVAL);
	CHECK(memory_try(sock, session, sock, 0, MEMORY) == EINVAL);
	other = eventfd(0, EFD_CLOEXEC);
	CHECK(memory_try(sock, session, other, 0, MEMORY) == EINVAL);
	close(other);
	other = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	CHECK(memory_try(sock, session, other, 0, 4096) == EINVAL);
	close(other);
	/* Nothing that can be written. */
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	other = open(name, O_RDONLY | O_CLOEXEC);
	CHECK(memory_try(sock, session, other, 0, MEMORY) == EINVAL);
	close(other);
	other = open(name, O_PATH | O_CLOEXEC);
	CHECK(memory_try(sock, session, other, 0, MEMORY) == EINVAL);
	close(other);
	other = memory_file(MFD_ALLOW_SEALING, MEMORY);
	CHECK(fcntl(other, F_ADD_SEALS, F_SEAL_WRITE) == 0);
	CHECK(memory_try(sock, session, other, 0, MEMORY) == EINVAL);
	close(other);
	/* netmapd's own memory. */
	CHECK(memory_try(sock, session, state.fd[0], 0, 4096) == EINVAL);
	message_fds_close(&state);
	/* Places that are not there, or not in whole pages; sums that overflow. */
	CHECK(memory_try(sock, session, fd, 1, MEMORY - 4096) == EINVAL);
	CHECK(memory_try(sock, session, fd, 4096, MEMORY) == EFAULT);
	CHECK(memory_try(sock, session, fd, MEMORY + 4096, 4096) == EFAULT);
	CHECK(memory_try(sock, session, fd, UINT64_MAX - 4095, 8192) == EFAULT);
	CHECK(memory_try(sock, session, fd, UINT64_MAX / 2 + 1, MEMORY) == EFAULT);
	CHECK(memory_try(sock, session, fd, 0, 0) == EINVAL);
	CHECK(memory_try(sock, session, fd, 0, UINT64_MAX) == EINVAL);
	CHECK(memory_try(sock, session, fd, 4096, UINT64_MAX - 4095) == EINVAL);
	CHECK(memory_try(sock, session, fd, 0, UINT64_C(0xfff00000)) == EFAULT);
	CHECK(memory_try(sock, session, fd, 0, 4096) == ENOMEM);
	/* The connection still works, for good memory too, and the seal is there. */
	CHECK(memory_try(sock, 0xfffffff0, fd, 0, MEMORY) == ENXIO);
	CHECK(memory_try(sock, session, fd, 0, MEMORY) == 0);
	CHECK(ftruncate(fd, 0) != 0 && errno == EPERM);
	CHECK(memory_try(sock, session, fd, 0, MEMORY) == EBUSY);
	close(app);
	session = wire_session(sock, -1, &app);
	CHECK(memory_try(sock, session, fd, 0, MEMORY) == 0);
	close(app);
	/* An option without a file. */
	session = wire_session(sock, -1, &app);
	put_memory(sock, session, -1, 0, MEMORY);
	wire_ended(sock);
	close(app);
	close(fd);
	close(pair[0]);
	close(pair[1]);
}

/* Messages with a right header and random contents; whatever the answers are, netmapd stays. */
static void
random_messages(void)
{
	static uint32_t body[1200];
	struct message_fds fds = { .fd = { STDERR_FILENO, STDERR_FILENO, STDERR_FILENO } };

	srandom(1);
	for (int i = 0; i < 3000; i++) {
		int sock = wire_dial_greeted();
		size_t size = (size_t)random() % (i % 2 ? 300 : sizeof(body));

		for (size_t j = 0; j < sizeof(body) / 4; j++)
			body[j] = random() % 4 ? (uint32_t)random() % 100 : (uint32_t)random() * 2;
		fds.n = (unsigned)random() % 8 < 6 ? 0 : (unsigned)random() % 4;
		wire_put(sock, (uint16_t)(random() % (PROTO_TYPES + 1)), body, size, &fds);
		close(sock);
	}
}

int
main(void)
{
	pid_t child;

	alarm(100);
	wire_begin();
	child = fork();
	if (child == 0) {
		without_hello();
		wrong_layout();
		greeted_bad();
		greeted_unknown();
		threads();
		memory_refused();
		random_messages();
		_exit(0);
	}
	CHECK(child_wait(child) == 0);
	wire_end();
	return 0;
}
