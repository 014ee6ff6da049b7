/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The fixture over real netmap: the descriptor under test is one end of a netmap pipe, the fixture holds the
 * other. A private netmapd serves the test and the programs that it runs, and ends with it.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <net/netmap_user.h>

#include "fixture.h"

static char own_dir[64];
static pid_t owner;

__attribute__((constructor))
static void
fixture_start(void)
{
	if (getenv("PAIR_FIXTURE"))
		return;
	strcpy(own_dir, "/tmp/netmap-intercept-XXXXXX");
	CHECK(mkdtemp(own_dir));
	setenv("XDG_RUNTIME_DIR", own_dir, 1);
	setenv("PAIR_FIXTURE", "1", 1);
	setenv("NETMAP_HOST", "user", 1);
	unsetenv("NETMAP_SOCKET");
	owner = getpid();
}

__attribute__((destructor))
static void
fixture_end(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct ucred cred = { 0 };
	socklen_t size = sizeof(cred);
	char command[100];
	int fd;

	if (owner != getpid())
		return;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/netmap/netmapd.sock", own_dir);
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0 &&
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) == 0 && cred.pid > 0) {
		kill(cred.pid, SIGTERM);
		for (int i = 0; i < 500 && kill(cred.pid, 0) == 0; i++)
			usleep(10000);
	}
	close(fd);
	snprintf(command, sizeof(command), "rm -rf %s", own_dir);
	if (system(command) != 0)
		fprintf(stderr, "%s is left behind\n", own_dir);
}

/* Registers fd as the pipe end `name` and maps it. */
static void *
end_register(int fd, const char *name, void **mem, size_t *size)
{
	struct nmreq_register reg = { .nr_mode = NR_REG_ALL_NIC };
	struct nmreq_header h = { .nr_version = NETMAP_API, .nr_reqtype = NETMAP_REQ_REGISTER,
		.nr_body = (uintptr_t)&reg };

	snprintf(h.nr_name, sizeof(h.nr_name), "%s", name);
	CHECK(ioctl(fd, NIOCCTRL, &h) == 0);
	*size = reg.nr_memsize;
	*mem = mmap(NULL, *size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(*mem != MAP_FAILED);
	return NETMAP_IF(*mem, reg.nr_offset);
}

void
port_open_unregistered(struct test_port *p)
{
	memset(p, 0, sizeof(*p));
	p->peer = -1;
	p->fd = open("/dev/netmap", O_RDWR);
	CHECK(p->fd >= 0);
}

void
port_open(struct test_port *p)
{
	static unsigned count;
	char name[64];
	int peer;

	port_open_unregistered(p);
	count++;
	snprintf(name, sizeof(name), "test%d_%u{1", (int)getpid(), count);
	p->nifp = end_register(p->fd, name, &p->mem, &p->mem_size);
	peer = open("/dev/netmap", O_RDWR);
	CHECK(peer >= 0);
	/* Out of the way of tests that count on the next numbers, or close ranges. */
	p->peer = fcntl(peer, F_DUPFD, 300);
	CHECK(p->peer >= 0);
	close(peer);
	snprintf(name, sizeof(name), "test%d_%u}1", (int)getpid(), count);
	p->peer_nifp = end_register(p->peer, name, &p->peer_mem, &p->mem_size);
}

void
port_close(struct test_port *p)
{
	if (p->mem)
		munmap(p->mem, p->mem_size);
	if (p->peer_mem)
		munmap(p->peer_mem, p->mem_size);
	close(p->fd);
	if (p->peer >= 0)
		close(p->peer);
}

/* Advances the ring by up to n slots: how many. */
static uint32_t
ring_advance(struct netmap_ring *ring, uint32_t n, int send)
{
	uint32_t done = 0;

	for (; done < n && !nm_ring_empty(ring); done++) {
		if (send)
			ring->slot[ring->head].len = 60;
		ring->head = ring->cur = nm_ring_next(ring, ring->head);
	}
	return done;
}

void
port_feed(struct test_port *p)
{
	CHECK(ring_advance(NETMAP_TXRING((struct netmap_if *)p->peer_nifp, 0), 1, 1) == 1);
	CHECK(ioctl(p->peer, NIOCTXSYNC) == 0);
}

int
port_take(struct test_port *p)
{
	struct netmap_ring *ring = NETMAP_RXRING((struct netmap_if *)p->nifp, 0);
	int n;

	CHECK(ioctl(p->fd, NIOCRXSYNC) == 0);
	n = (int)ring_advance(ring, UINT32_MAX, 0);
	CHECK(ioctl(p->fd, NIOCRXSYNC) == 0);
	return n;
}

void
port_fill(struct test_port *p)
{
	struct netmap_ring *ring = NETMAP_TXRING((struct netmap_if *)p->nifp, 0);

	do
		CHECK(ioctl(p->fd, NIOCTXSYNC) == 0);
	while (ring_advance(ring, UINT32_MAX, 1));
}

void
port_make_room(struct test_port *p)
{
	struct netmap_ring *ring = NETMAP_RXRING((struct netmap_if *)p->peer_nifp, 0);

	CHECK(ioctl(p->peer, NIOCRXSYNC) == 0);
	CHECK(ring_advance(ring, 1, 0) == 1);
	CHECK(ioctl(p->peer, NIOCRXSYNC) == 0);
}
