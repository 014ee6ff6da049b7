/* SPDX-License-Identifier: BSD-2-Clause */
#include "port.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FRAME_LEN	60

static char dir[64];
static pid_t dir_owner;

void
test_fail(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: not so: %s (%s)\n", file, line, what, client_last_why());
	if (getpid() == dir_owner)
		dir_end();
	_exit(1);
}

const char *
dir_begin(void)
{
	strcpy(dir, "/tmp/netmap-test-XXXXXX");
	CHECK(mkdtemp(dir) != NULL);
	setenv("XDG_RUNTIME_DIR", dir, 1);
	unsetenv("NETMAP_SOCKET");
	dir_owner = getpid();
	return dir;
}

pid_t
netmapd_pid(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct ucred cred = { 0 };
	socklen_t size = sizeof(cred);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/netmap/netmapd.sock", dir);
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) != 0)
		cred.pid = 0;
	close(fd);
	return cred.pid;
}

/* A process that nobody has waited for yet counts as ended. */
bool
process_ended(void *arg)
{
	char path[40], target[8];

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)*(pid_t *)arg);
	return readlink(path, target, sizeof(target)) < 0;
}

void
dir_end(void)
{
	char command[100];
	pid_t pid = netmapd_pid();

	dir_owner = 0;
	if (pid > 0) {
		kill(pid, SIGTERM);
		wait_for(process_ended, &pid);
	}
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	if (system(command) != 0)
		fprintf(stderr, "%s stays behind\n", dir);
}

unsigned
fd_count(pid_t pid)
{
	char path[40];
	unsigned n = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	d = opendir(path);
	CHECK(d != NULL);
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

bool
wait_for(bool (*cond)(void *arg), void *arg)
{
	struct timespec pause = { .tv_nsec = 10000000 };

	for (int i = 0; i < 1000; i++) {
		if (cond(arg))
			return true;
		nanosleep(&pause, NULL);
	}
	return false;
}

int
child_wait(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) != pid)
		CHECK(errno == EINTR);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

int
port_register(struct tport *p, const char *name)
{
	struct nmreq_header hdr = { .nr_version = NETMAP_API, .nr_reqtype = NETMAP_REQ_REGISTER, .nr_body = (uintptr_t)&p->reg };

	p->reg = (struct nmreq_register){ .nr_mode = NR_REG_ALL_NIC };
	snprintf(hdr.nr_name, sizeof(hdr.nr_name), "%s", name);
	return client_ioctl(p->s, NIOCCTRL, &hdr);
}

void
port_map(struct tport *p)
{
	void *mem = NULL;

	p->size = p->reg.nr_memsize;
	CHECK(client_mmap(p->s, p->fd, NULL, p->size, PROT_READ | PROT_WRITE, MAP_SHARED, 0, &mem) == 0);
	p->mem = mem;
	p->nifp = NETMAP_IF(p->mem, p->reg.nr_offset);
}

int
port_open(struct tport *p, const char *name)
{
	int err;

	memset(p, 0, sizeof(*p));
	p->fd = client_open(O_RDWR | O_CLOEXEC, &p->s);
	if (p->fd < 0)
		return p->fd;
	err = port_register(p, name);
	if (err != 0) {
		close(p->fd);
		client_put(p->s);
		return err;
	}
	port_map(p);
	return 0;
}

void
port_close(struct tport *p)
{
	if (p->mem != NULL) {
		munmap(p->mem, p->size);
		client_unmapped(p->mem, p->size);
	}
	close(p->fd);
	client_put(p->s);
}

struct netmap_ring *
port_tx(const struct tport *p)
{
	return NETMAP_TXRING(p->nifp, 0);
}

struct netmap_ring *
port_rx(const struct tport *p)
{
	return NETMAP_RXRING(p->nifp, 0);
}

static void
sleep_until(struct tport *p, short event)
{
	struct client_waiter *w = client_waiter();

	CHECK(w != NULL);
	for (;;) {
		short got = client_poll(p->s, event);

		CHECK((got & POLLERR) == 0);
		if (got & event)
			return;
		client_arm_begin(w, false);
		client_arm(w, p->s, event);
		got = client_poll(p->s, event);
		if (got == 0)
			client_wait(w, NULL, NULL);
		client_disarm(w, p->s, event);
		client_arm_end(w);
	}
}

void
port_send(struct tport *p, uint32_t value)
{
	struct netmap_ring *ring = port_tx(p);
	struct netmap_slot *slot;
	char *buf;

	if (ring->head == ring->tail)
		sleep_until(p, POLLOUT);
	slot = &ring->slot[ring->head];
	buf = NETMAP_BUF(ring, slot->buf_idx);
	memset(buf, 0, FRAME_LEN);
	memset(buf, 0xff, 6);
	memcpy(buf + 6, "\x02netm", 6);
	memcpy(buf + 14, &value, sizeof(value));
	slot->len = FRAME_LEN;
	slot->flags = 0;
	ring->head = ring->cur = ring->head + 1 == ring->num_slots ? 0 : ring->head + 1;
	CHECK(client_ioctl(p->s, NIOCTXSYNC, NULL) == 0);
}

uint32_t
port_receive(struct tport *p)
{
	struct netmap_ring *ring = port_rx(p);
	uint32_t value;

	if (ring->head == ring->tail)
		sleep_until(p, POLLIN);
	CHECK(ring->slot[ring->head].len == FRAME_LEN);
	memcpy(&value, NETMAP_BUF(ring, ring->slot[ring->head].buf_idx) + 14, sizeof(value));
	ring->head = ring->cur = ring->head + 1 == ring->num_slots ? 0 : ring->head + 1;
	return value;
}

unsigned
port_pending(struct tport *p)
{
	struct netmap_ring *ring = port_rx(p);

	CHECK(client_ioctl(p->s, NIOCRXSYNC, NULL) == 0);
	return ring->tail >= ring->head ? ring->tail - ring->head : ring->tail + ring->num_slots - ring->head;
}

void
port_drain(struct tport *p)
{
	struct netmap_ring *ring = port_rx(p);

	while (port_pending(p) > 0)
		ring->head = ring->cur = ring->tail;
}
