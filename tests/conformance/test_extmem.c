/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * External memory: a program's own memory as a port's region. What kinds of it there are, what is refused, who shares it, and what happens when it is
 * taken away while others use it.
 */
#include <errno.h>
#include <fcntl.h>
#include <dirent.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libnetmap.h>
#include <netmap_stats.h>

#include "harness.h"
#include "port.h"
#include "../sanitizer.h"

#define MIB	(1024u * 1024u)
#define SIZE	(12 * MIB)		/* what the usual numbers take is less */
#define PAGE	4096u

#ifndef MFD_HUGETLB
#define MFD_HUGETLB	4u
#endif

static char *
map_shared(int fd, size_t size)
{
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	check(p != MAP_FAILED);
	return p;
}

static char *
map_private(size_t size)
{
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(p != MAP_FAILED);
	return p;
}

static int
memfd(size_t size, unsigned flags)
{
	int fd = memfd_create("test", MFD_CLOEXEC | flags);

	check_ok(fd);
	check_ok(ftruncate(fd, (off_t)size));
	return fd;
}

static const char *
shm_path(void)
{
	static char path[64];

	snprintf(path, sizeof(path), "/dev/shm/netmap-test-%d", (int)getpgrp());
	return path;
}

static int
shm_file(size_t size)
{
	int fd = open(shm_path(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	check_ok(fd);
	check_ok(ftruncate(fd, (off_t)size));
	return fd;
}

/* REGISTER in [mem, mem + size), and nothing mapped: 0 or -errno. *opt as it comes back. */
static int
ext_try(struct port *p, const char *name, void *mem, size_t size, struct nmreq_opt_extmem *opt)
{
	struct nmreq_header hdr = { .nr_version = NETMAP_API, .nr_reqtype = NETMAP_REQ_REGISTER, .nr_body = (uintptr_t)&p->reg,
		.nr_options = (uintptr_t)opt };
	int err;

	*opt = (struct nmreq_opt_extmem){ .nro_opt.nro_reqtype = NETMAP_REQ_OPT_EXTMEM, .nro_usrptr = (uintptr_t)mem, .nro_info.nr_memsize = size };
	p->reg = (struct nmreq_register){ .nr_mode = NR_REG_ALL_NIC };
	strncpy(hdr.nr_name, name, sizeof(hdr.nr_name) - 1);
	p->fd = device_open();
	err = ioctl(p->fd, NIOCCTRL, &hdr) == 0 ? 0 : -errno;
	check_eq(opt->nro_usrptr, (uintptr_t)mem);
	if (err != 0) {
		close(p->fd);
		return err;
	}
	check_eq(opt->nro_opt.nro_status, 0);
	check_eq(p->reg.nr_memsize, size);
	check_eq(opt->nro_info.nr_mem_id, p->reg.nr_mem_id);
	p->mem = mem;
	p->size = size;
	p->nifp = NETMAP_IF(p->mem, p->reg.nr_offset);
	return 0;
}

static void
ext_open(struct port *p, const char *name, void *mem, size_t size)
{
	struct nmreq_opt_extmem opt;
	int err = ext_try(p, name, mem, size, &opt);

	if (err != 0)
		check_failed(__FILE__, __LINE__, "%s: %s (%s)", name, strerror(-err), netmap_last_error());
}

/* The descriptor alone: the memory is the test's. */
static void
ext_close(struct port *p)
{
	check_ok(close(p->fd));
}

static void
refused_as(int line, void *mem, size_t size, int err, const char *say)
{
	struct nmreq_opt_extmem opt;
	struct port p;
	int got = ext_try(&p, vale("no"), mem, size, &opt);

	if (got != -err || opt.nro_opt.nro_status != (uint32_t)err || strstr(netmap_last_error(), say) == NULL)
		check_failed(__FILE__, line, "%s, status %u, \"%s\"; not %s with \"%s\"", strerror(-got), opt.nro_opt.nro_status, netmap_last_error(),
			strerror(err), say);
}

#define refused(mem_, size_, err_, say_)	refused_as(__LINE__, mem_, size_, err_, say_)

/* Frames from one to the other, whole. */
static void
exchange(struct port *from, struct port *to, unsigned n)
{
	uint8_t out[1400], in[FRAME_ROOM];

	for (unsigned i = 0; i < n; i++) {
		size_t len = FRAME_MIN + i * 31 % 1300;

		frame_make(out, len, 0xff, 1, i);
		port_send(from, out, len);
		check_eq(port_recv(to, in, 5000), len);
		check(frame_good(in, len));
		check_eq(frame_number(in), i);
	}
	port_rxsync(to);
}

static bool
inside(const char *mem, size_t size, const void *p)
{
	return (const char *)p >= mem && (const char *)p < mem + size;
}

/* --- kinds of memory --- */

static void
in_memfd(void)
{
	int fd = memfd(SIZE + PAGE, MFD_ALLOW_SEALING);
	char *mem = map_shared(fd, SIZE + PAGE);
	struct port a, b;

	/* A part of the file, from the second page on. */
	memset(mem, 0x5a, SIZE + PAGE);
	ext_open(&a, vale("a"), mem + PAGE, SIZE);
	port_open(&b, vale("b"));
	check(inside(mem + PAGE, SIZE, port_tx(&a, 0)) && inside(mem + PAGE, SIZE, NETMAP_BUF(port_rx(&a, 0), port_rx(&a, 0)->slot[9].buf_idx)));
	exchange(&a, &b, 3000);
	exchange(&b, &a, 3000);
	/* Nobody takes it away now; it may grow. */
	check_errno(ftruncate(fd, 0), EPERM);
	check_ok(ftruncate(fd, SIZE + 2 * PAGE));
	ext_close(&a);
	/* The file is the program's, with what is in it. */
	for (unsigned i = 0; i < PAGE; i++)
		check_eq(mem[i], 0x5a);
	check_eq(mem[PAGE + SIZE - 1], 0x5a);
	ext_open(&a, vale("a"), mem + PAGE, SIZE);
	exchange(&b, &a, 100);
	ext_close(&a);
	port_close(&b);
}

/* By path: the descriptor is closed after the mapping. */
static void
in_file(void)
{
	struct nmport_d *d, *e;
	char spec[200], name[64];
	struct port b;
	uint8_t frame[FRAME_MIN], in[FRAME_ROOM];
	int fd = shm_file(SIZE);

	close(fd);
	snprintf(name, sizeof(name), "%s", vale("a"));
	snprintf(spec, sizeof(spec), "%s@extmem:file=%s,if-num=8,ring-num=30", name, shm_path());
	d = nmport_open(spec);
	if (d == NULL)
		check_failed(__FILE__, __LINE__, "%s: %s (%s)", spec, strerror(errno), netmap_last_error());
	check_eq(nmport_extmem_getinfo(d)->nr_if_pool_objtotal, 8);
	check_eq(nmport_extmem_getinfo(d)->nr_mem_id, d->reg.nr_mem_id);
	check(d->mem->is_extmem);
	port_open(&b, vale("b"));
	frame_make(frame, sizeof(frame), 0xff, 1, 7);
	check_eq(nmport_inject(d, frame, sizeof(frame)), sizeof(frame));
	check_ok(ioctl(d->fd, NIOCTXSYNC, NULL));
	check_eq(port_recv(&b, in, 5000), sizeof(frame));
	check(frame_good(in, sizeof(frame)));
	/* A pipe on it, and a second port in the same file. */
	snprintf(spec, sizeof(spec), "%s{1@extmem:file=%s", name, shm_path());
	e = nmport_open(spec);
	if (e == NULL)
		check_failed(__FILE__, __LINE__, "%s: %s (%s)", spec, strerror(errno), netmap_last_error());
	check_eq(e->reg.nr_mem_id, d->reg.nr_mem_id);
	nmport_close(e);
	nmport_close(d);
	port_close(&b);
	unlink(shm_path());
}

static unsigned
fds_open(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	check(dir != NULL);
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}

/* Memory without a file stays where it is, with what is in and around it. */
static void
in_private_memory(void)
{
	size_t around = 64 * PAGE;
	char *mem = map_private(SIZE + 2 * around);
	struct port a, b, c;
	unsigned fds;

	memset(mem, 0x33, SIZE + 2 * around);
	memset(mem + around + SIZE / 2, 0, SIZE / 4);
	port_open(&b, vale("b"));
	fds = fds_open();
	/* What was moved for nothing goes back: not a page of a mapping is another than before. */
	refused(mem + around, 2 * MIB, ENOMEM, "4098 buffers");
	check_eq(fds_open(), fds);
	check_eq(mem[around], 0x33);
	check_eq(mem[around + 2 * MIB], 0x33);
	for (int turn = 0; turn < 2; turn++) {
		ext_open(&a, vale("a"), mem + around, SIZE);
		exchange(&a, &b, 500);
		exchange(&b, &a, 500);
		/* The same memory again is the same region. */
		ext_open(&c, vale("a{1"), mem + around, SIZE);
		check_eq(c.reg.nr_mem_id, a.reg.nr_mem_id);
		ext_close(&c);
		ext_close(&a);
	}
	check_eq(mem[around - 1], 0x33);
	check_eq(mem[around + SIZE], 0x33);
	check_eq(mem[around + SIZE - 1], 0x33);
	check_eq(mem[around + SIZE / 2 + SIZE / 8], 0);
	/* Still memory like any other; its file goes with it. */
	memset(mem, 0x44, SIZE + 2 * around);
	check_ok(munmap(mem, SIZE / 2));
	check_ok(munmap(mem + SIZE / 2, SIZE / 2 + 2 * around));
	check_eq(fds_open(), fds);
	port_close(&b);
}

static void
in_allocated_memory(void)
{
	void *mem;
	struct port a, b;

#ifdef TEST_ASAN
	skip("AddressSanitizer has memory of its own around what is allocated");
#endif
	check_eq(posix_memalign(&mem, PAGE, SIZE), 0);
	ext_open(&a, vale("a"), mem, SIZE);
	port_open(&b, vale("b"));
	exchange(&a, &b, 500);
	ext_close(&a);
	port_close(&b);
	free(mem);
}

static void
in_huge_pages(void)
{
	size_t size = SIZE + 2 * MIB;
	int fd = memfd_create("huge", MFD_CLOEXEC | MFD_HUGETLB | MFD_ALLOW_SEALING);
	struct port a, b, c;
	char *mem;

	if (fd < 0 || ftruncate(fd, (off_t)size) != 0)
		skip("this kernel has no huge pages for files");
	mem = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (mem == MAP_FAILED)
		skip("not so many huge pages are free (vm.nr_hugepages: 7 of 2 MiB are needed)");
	/* A size that is no multiple of a huge page. */
	ext_open(&a, vale("a"), mem + 2 * MIB, SIZE - PAGE);
	port_open(&b, vale("b"));
	exchange(&a, &b, 3000);
	exchange(&b, &a, 3000);
	refused(mem + 2 * MIB + PAGE, SIZE - 2 * PAGE, EINVAL, "2097152 bytes there");
	ext_close(&a);
	/* Small pages in the place of huge ones, here and in netmapd. */
	for (unsigned i = 0; i < 3; i++) {
		port_open(&c, vale("c"));
		exchange(&b, &c, 100);
		port_close(&c);
		ext_open(&a, vale("a"), mem, size);
		exchange(&b, &a, 100);
		ext_close(&a);
	}
	port_close(&b);
}

/* Its file has no name: only who may look at /proc/self/map_files finds it. */
static void
in_shared_anonymous_memory(void)
{
	char *mem = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct nmreq_opt_extmem opt;
	struct port a, b;

	check(mem != MAP_FAILED);
	if (ext_try(&a, vale("a"), mem, SIZE, &opt) != 0) {
		check(geteuid() != 0);
		refused(mem, SIZE, EINVAL, "no descriptor or path");
		return;
	}
	port_open(&b, vale("b"));
	exchange(&a, &b, 100);
	ext_close(&a);
	port_close(&b);
}

/* Threads that give the same memory at the same time move it once. */
#define THREADS	3		/* so many ports the usual number of rings is enough for */

struct crowd {
	char *mem;
	pthread_barrier_t start;
	char name[THREADS][NETMAP_REQ_IFNAMSIZ];
	struct port port[THREADS];
};

struct crowd_member {
	struct crowd *crowd;
	unsigned i;
};

static void *
crowd_run(void *arg)
{
	const struct crowd_member *m = arg;
	struct crowd *c = m->crowd;

	pthread_barrier_wait(&c->start);
	ext_open(&c->port[m->i], c->name[m->i], c->mem, 2 * SIZE);
	return NULL;
}

static void
by_threads(void)
{
	static struct crowd c;
	struct crowd_member m[THREADS];
	pthread_t thread[THREADS];
	struct port b;

	port_open(&b, vale("b"));
	for (unsigned turn = 0; turn < 20; turn++) {
		c.mem = map_private(2 * SIZE);
		pthread_barrier_init(&c.start, NULL, THREADS);
		for (unsigned i = 0; i < THREADS; i++) {
			char name[8];

			snprintf(name, sizeof(name), "t%u", i);
			strcpy(c.name[i], vale(name));
			m[i] = (struct crowd_member){ &c, i };
			check_eq(pthread_create(&thread[i], NULL, crowd_run, &m[i]), 0);
		}
		for (unsigned i = 0; i < THREADS; i++)
			pthread_join(thread[i], NULL);
		for (unsigned i = 0; i < THREADS; i++) {
			check_eq(c.port[i].reg.nr_mem_id, c.port[0].reg.nr_mem_id);
			exchange(&b, &c.port[i], 3);
		}
		for (unsigned i = 0; i < THREADS; i++)
			ext_close(&c.port[i]);
		check_ok(munmap(c.mem, 2 * SIZE));
	}
	port_close(&b);
}

static void
refusals(void)
{
	char *mem = map_private(2 * SIZE), on_stack[2 * PAGE], path[300];
	int fd, disk;
	struct port p;

	refused(NULL, SIZE, EFAULT, "read and written");
	refused((void *)(uintptr_t)PAGE, SIZE, EFAULT, "read and written");
	refused(mem + 1, SIZE, EINVAL, "page");
	refused(mem, 0, EINVAL, "no such memory");
	refused(mem, SIZE_MAX, EFAULT, "no such memory");
	refused(mem, 2 * MIB, ENOMEM, "4098 buffers");
	refused((void *)((uintptr_t)on_stack & ~(uintptr_t)(PAGE - 1)), PAGE, EINVAL, "stack");
	check_ok(mprotect(mem + SIZE / 2, PAGE, PROT_READ));
	refused(mem, SIZE, EFAULT, "read and written");
	check_ok(munmap(mem + SIZE / 2, PAGE));
	refused(mem, SIZE, EFAULT, "read and written");
	/* Two files side by side. */
	fd = memfd(SIZE, 0);
	check(mmap(mem, SIZE / 2, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) == mem);
	check(mmap(mem + SIZE / 2, SIZE / 2, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) == mem + SIZE / 2);
	refused(mem, SIZE, EINVAL, "several mappings");
	/* In order they are one. */
	check(mmap(mem + SIZE / 2, SIZE / 2, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, SIZE / 2) == mem + SIZE / 2);
	check_ok(madvise(mem + 5 * PAGE, PAGE, MADV_DONTFORK));
	ext_open(&p, vale("a"), mem, SIZE);
	ext_close(&p);
	/* A copy of a file, and a mapping that is longer than its file. */
	check(mmap(mem, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd, 0) == mem);
	refused(mem, SIZE, EINVAL, "MAP_SHARED");
	check(mmap(mem, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, PAGE) == mem);
	refused(mem, SIZE, EFAULT, "the file has");
	/* A file on a disk, if this directory is on one. */
	snprintf(path, sizeof(path), "%s/file", harness_dir());
	disk = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	check_ok(disk);
	check_ok(ftruncate(disk, SIZE));
	check(mmap(mem, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, disk, 0) == mem);
	{
		struct nmreq_opt_extmem opt;
		int err = ext_try(&p, vale("a"), mem, SIZE, &opt);

		if (err == 0)
			ext_close(&p);
		else
			check(err == -EINVAL && strstr(netmap_last_error(), "not in memory") != NULL);
	}
	unlink(path);
	/* netmap's own. */
	port_open(&p, vale("a"));
	{
		struct nmreq_opt_extmem opt;
		struct port q;

		check_eq(ext_try(&q, vale("q"), p.mem, p.size & ~(size_t)(PAGE - 1), &opt), -EINVAL);
	}
	port_close(&p);
	/* A file that has become too large to be used. */
	fd = memfd(0, 0);
	check_ok(ftruncate(fd, (off_t)5 << 30));
	mem = mmap(NULL, (size_t)5 << 30, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
	check(mem != MAP_FAILED);
	refused(mem, (size_t)5 << 30, EINVAL, "4293918720");
}

/* --- two processes --- */

static void
echo_run(void *arg)
{
	int fd = memfd(SIZE, MFD_ALLOW_SEALING);
	uint8_t frame[FRAME_ROOM];
	struct port p;
	size_t len;

	ext_open(&p, vale("e"), map_shared(fd, SIZE), SIZE);
	*(_Atomic int *)arg = 1;
	for (unsigned i = 0; i < 2000; i++) {
		len = port_recv(&p, frame, 10000);
		check(len >= FRAME_MIN && frame_good(frame, len));
		port_send(&p, frame, len);
	}
	port_poll(&p, POLLIN, 0);
	ext_close(&p);
}

static void
echo(void)
{
	_Atomic int *ready = shared_memory(sizeof(*ready));
	uint8_t out[1400], in[FRAME_ROOM];
	struct port p;
	pid_t child;

	ext_open(&p, vale("a"), map_private(SIZE), SIZE);
	child = spawn(echo_run, (void *)(uintptr_t)ready);
	wait_until(*ready, 10000);
	for (unsigned i = 0; i < 2000; i++) {
		size_t len = FRAME_MIN + i * 17 % 1300;

		frame_make(out, len, 0xff, 1, i);
		port_send(&p, out, len);
		check_eq(port_recv(&p, in, 10000), len);
		check_eq(frame_number(in), i);
	}
	join(child);
	ext_close(&p);
}

struct pipe_board {
	_Atomic int ready;
	_Atomic uint16_t mem_id;
	_Atomic int stop;
};

static void
pipe_run(void *arg)
{
	struct pipe_board *board = arg;
	char name[NETMAP_REQ_IFNAMSIZ];
	uint8_t in[FRAME_ROOM];
	struct port p;
	int fd = open(shm_path(), O_RDWR | O_CLOEXEC);

	check_ok(fd);
	snprintf(name, sizeof(name), "%s}1", vale("p"));
	ext_open(&p, name, map_shared(fd, SIZE), SIZE);
	board->mem_id = p.reg.nr_mem_id;
	board->ready = 1;
	for (unsigned i = 0; i < 5000; i++) {
		check_eq(port_recv(&p, in, 10000), FRAME_MIN);
		check(frame_good(in, FRAME_MIN));
		check_eq(frame_number(in), i);
	}
	while (!board->stop)
		sleep_ms(1);
}

/* Two processes, one file: one region, in which a pipe moves no data. A third knows no more than its number. */
static void
pipe_shared(void)
{
	struct pipe_board *board = shared_memory(sizeof(*board));
	int fd = shm_file(SIZE);
	char name[NETMAP_REQ_IFNAMSIZ];
	uint8_t frame[FRAME_MIN];
	struct nmreq_register want;
	struct port p, q;
	pid_t child;

	snprintf(name, sizeof(name), "%s{1", vale("p"));
	ext_open(&p, name, map_shared(fd, SIZE), SIZE);
	child = spawn(pipe_run, board);
	wait_until(board->ready, 10000);
	check_eq(board->mem_id, p.reg.nr_mem_id);
	for (unsigned i = 0; i < 5000; i++) {
		frame_make(frame, sizeof(frame), 2, 1, i);
		port_send(&p, frame, sizeof(frame));
	}
	want = (struct nmreq_register){ .nr_mem_id = p.reg.nr_mem_id, .nr_mode = NR_REG_NULL, .nr_extra_bufs = 5 };
	port_open_as(&q, "null", &want);
	check_eq(q.reg.nr_mem_id, p.reg.nr_mem_id);
	check_eq(q.reg.nr_extra_bufs, 5);
	/* The mapping of the descriptor is that memory. */
	check(memcmp(q.nifp->ni_name, "null", 5) == 0);
	check_eq(memcmp(q.nifp, p.mem + q.reg.nr_offset, sizeof(*q.nifp)), 0);
	port_close(&q);
	board->stop = 1;
	join(child);
	ext_close(&p);
	unlink(shm_path());
}

/* The owner dies: who shares the memory goes on, and when he leaves it can be given anew. */
static void
owner_run(void *arg)
{
	struct pipe_board *board = arg;
	uint8_t frame[FRAME_MIN];
	struct port p;
	int fd = open(shm_path(), O_RDWR | O_CLOEXEC);

	ext_open(&p, vale("o"), map_shared(fd, SIZE), SIZE);
	board->mem_id = p.reg.nr_mem_id;
	board->ready++;
	for (uint64_t i = 0;; i++) {
		frame_make(frame, sizeof(frame), 0xff, 2, i);
		port_send(&p, frame, sizeof(frame));
	}
}

static void
owner_killed(void)
{
	struct pipe_board *board = shared_memory(sizeof(*board));
	int fd = shm_file(SIZE);
	struct port a, b;
	uint8_t in[FRAME_ROOM];

	port_open(&b, vale("b"));
	for (int i = 1; i <= 20; i++) {
		pid_t child = spawn(owner_run, board);

		wait_until(board->ready == i, 10000);
		check(port_recv(&b, in, 5000) > 0);
		if (i == 10)
			ext_open(&a, vale("a"), map_shared(fd, SIZE), SIZE);
		stop_process(child, SIGKILL);
		wait_until(vale_index(vale("o")) < 0, 5000);
		while (port_take(&b, in) > 0)
			;
		port_rxsync(&b);
		if (i >= 10) {
			check_eq(board->mem_id, a.reg.nr_mem_id);
			while (port_recv(&a, in, 0) > 0)
				;
			while (port_recv(&b, in, 0) > 0)
				;
			exchange(&a, &b, 100);
		}
	}
	ext_close(&a);
	port_close(&b);
	unlink(shm_path());
}

/* Mappings of this process of others' memory. */
static unsigned
short_mappings(void)
{
	FILE *f = fopen("/proc/self/maps", "r");
	char line[1024];
	unsigned n = 0;

	check(f != NULL);
	while (fgets(line, sizeof(line), f) != NULL)
		n += strstr(line, "memfd:short-lived") != NULL;
	fclose(f);
	return n;
}

struct short_board {
	_Atomic int ready, stop;
};

static void
short_run(void *arg)
{
	struct short_board *board = arg;
	int fd = memfd_create("short-lived", MFD_CLOEXEC);
	char name[8];
	struct port p;

	check_ok(ftruncate(fd, SIZE));
	snprintf(name, sizeof(name), "s%d", (int)getpid() % 1000);
	ext_open(&p, vale(name), map_shared(fd, SIZE), SIZE);
	board->ready++;
	while (!board->stop)
		sleep_ms(1);
}

/* Who sends to it maps it, too, and does not hold its memory when it is gone. */
static void
not_held(void)
{
	struct short_board *board = shared_memory(sizeof(*board));
	pid_t child[3];
	struct port p;

	port_open(&p, vale("p"));
	for (int turn = 0; turn < 3; turn++) {
		board->ready = board->stop = 0;
		for (int i = 0; i < 3 - turn; i++) {
			child[i] = spawn(short_run, board);
			wait_until(board->ready == i + 1, 10000);
		}
		port_broadcast(&p);
		check_eq(short_mappings(), 3 - turn);
		board->stop = 1;
		for (int i = 0; i < 3 - turn; i++)
			join(child[i]);
	}
	port_close(&p);
}

/* --- memory that is taken away --- */

struct cut_board {
	_Atomic int ready, cut, sent, stop;
};

/* Sends into the memory all the time, from a process that has nothing to do with it otherwise. */
static void
sender_run(void *arg)
{
	struct cut_board *board = arg;
	uint8_t frame[FRAME_MIN];
	struct port p;

	port_open(&p, vale("s"));
	board->ready++;
	while (!board->stop) {
		for (unsigned i = 0; i < 64; i++) {
			frame_make(frame, sizeof(frame), 0xff, 3, 0);
			check(port_put(&p, frame, sizeof(frame)));
		}
		port_txsync(&p);
		board->sent++;
	}
	port_close(&p);
}

static void
owner_cut_run(void *arg)
{
	struct cut_board *board = arg;
	int fd = open(shm_path(), O_RDWR | O_CLOEXEC);
	struct port a, m, s;
	char name[NETMAP_REQ_IFNAMSIZ];
	uint64_t until;
	short got;
	int err;

	ext_open(&a, vale("a"), map_shared(fd, SIZE), SIZE);
	snprintf(name, sizeof(name), "%s{1", vale("a"));
	ext_open(&m, name, a.mem, SIZE);
	snprintf(name, sizeof(name), "%s}1", vale("a"));
	ext_open(&s, name, a.mem, SIZE);
	board->ready++;
	wait_until(board->sent > 100, 10000);
	check_ok(ftruncate(fd, 0));
	board->cut = 1;
	/* At once, or as soon as netmapd has looked. No sleep is longer than that. */
	until = now_ms() + 10000;
	do {
		err = ioctl(s.fd, NIOCRXSYNC, NULL) == 0 ? 0 : errno;
		got = port_poll(&m, POLLIN, 5000);
		check(now_ms() < until);
	} while ((got & POLLERR) == 0 || err == 0);
	check_eq(err, EIO);
	check((port_poll(&a, POLLIN, 5000) & POLLERR) != 0);
	check_errno(ioctl(a.fd, NIOCTXSYNC, NULL), EIO);
	ext_close(&m);
	ext_close(&s);
	ext_close(&a);
}

static void
cut_short(void)
{
	struct cut_board *board = shared_memory(sizeof(*board));
	int fd = shm_file(SIZE), sent;
	pid_t daemon, owner, sender;
	struct port b, c;

	port_open(&b, vale("b"));
	port_open(&c, vale("c"));
	daemon = harness_daemon();
	sender = spawn(sender_run, board);
	owner = spawn(owner_cut_run, board);
	wait_until(board->cut, 20000);
	sent = board->sent;
	wait_until(board->sent > sent + 1000, 10000);
	join(owner);
	sent = board->sent;
	wait_until(board->sent > sent + 1000, 10000);
	board->stop = 1;
	join(sender);
	/* The same netmapd, and all others as if nothing had been. */
	check_eq(harness_daemon(), daemon);
	{
		uint8_t in[FRAME_ROOM];

		while (port_recv(&b, in, 100) > 0)
			;
		while (port_recv(&c, in, 100) > 0)
			;
	}
	exchange(&b, &c, 1000);
	/* And the file, long enough once more, can be given again. */
	check_ok(ftruncate(fd, SIZE));
	{
		struct port a;

		ext_open(&a, vale("a"), map_shared(fd, SIZE), SIZE);
		exchange(&b, &a, 100);
		ext_close(&a);
	}
	port_close(&b);
	port_close(&c);
	unlink(shm_path());
}

static void
cut_run(void *arg)
{
	int fd = open(shm_path(), O_RDWR | O_CLOEXEC);

	check_ok(fd);
	sleep_ms(200);
	check_ok(ftruncate(fd, PAGE));
}

/* Nobody touches it, and who sleeps hears of it all the same. */
static void
cut_while_asleep(void)
{
	int fd = shm_file(SIZE);
	struct port a, b;
	pid_t child;

	port_open(&b, vale("b"));
	ext_open(&a, vale("a"), map_shared(fd, SIZE), SIZE);
	close(fd);
	child = spawn(cut_run, NULL);
	check((port_poll(&a, POLLIN, 10000) & POLLERR) != 0);
	join(child);
	check_errno(ioctl(a.fd, NIOCRXSYNC, NULL), EIO);
	port_broadcast(&b);
	ext_close(&a);
	port_close(&b);
	unlink(shm_path());
}

/* A file system that is full gives no page: to netmapd, which is the first to touch them. */
static void
file_system_full(void)
{
	char path[300], file[320];
	struct nmreq_opt_extmem opt;
	struct port a, b, c;
	int fd;

	snprintf(path, sizeof(path), "%s/full", harness_dir());
	check_ok(mkdir(path, 0700));
	if (mount("tmpfs", path, "tmpfs", 0, "size=8k") != 0) {
		rmdir(path);
		skip("this user cannot mount a small tmpfs");
	}
	snprintf(file, sizeof(file), "%s/file", path);
	fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	check_ok(ftruncate(fd, SIZE));
	port_open(&b, vale("b"));
	port_open(&c, vale("c"));
	check_eq(ext_try(&a, vale("a"), map_shared(fd, SIZE), SIZE, &opt), -EIO);
	check(strstr(netmap_last_error(), "external memory") != NULL);
	exchange(&b, &c, 100);
	port_close(&b);
	port_close(&c);
	check_ok(umount2(path, MNT_DETACH));
	rmdir(path);
}

static const struct test_case cases[] = {
	{ "in_memfd", in_memfd, 0, false },
	{ "in_file", in_file, 0, false },
	{ "in_private_memory", in_private_memory, 0, false },
	{ "in_allocated_memory", in_allocated_memory, 0, false },
	{ "in_huge_pages", in_huge_pages, 0, false },
	{ "in_shared_anonymous_memory", in_shared_anonymous_memory, 0, false },
	{ "by_threads", by_threads, 0, false },
	{ "refusals", refusals, 0, false },
	{ "echo", echo, 0, false },
	{ "pipe_shared", pipe_shared, 0, false },
	{ "owner_killed", owner_killed, 0, false },
	{ "not_held", not_held, 0, false },
	{ "cut_short", cut_short, 40, false },
	{ "cut_while_asleep", cut_while_asleep, 0, false },
	{ "file_system_full", file_system_full, 0, false },
};

static const char *const expected_log[] = { "external memory", "external memory has gone", "unfinished lease", NULL };

TEST_MAIN(cases, expected_log)
