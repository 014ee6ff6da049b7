/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bare loop, see bare_loop.h. FROZEN.
 *
 * One memfd holds, for each sender, a link: the indexes of the two sides on
 * lines of their own, the sender's ring, the receiver's ring, and their
 * buffers. The sender passes over a batch twice (fill, then move), because a
 * copy right behind the store that made its source would stall. Each side
 * keeps a copy of the other's index and reloads it only when that runs short.
 */
#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <net/netmap.h>

#include "bare_loop.h"

#define LINE		128
#define IDLE_SPINS	512	/* empty looks before a shared CPU is given away */
#define HEADER_LEN	14

/* First buffers 0 and 1 are reserved in a netmap region: keep to that. */
#define FIRST_BUF	2

/* Shared, one line for each writer. Indexes count slots and never wrap to the ring's size. */
struct link_index {
	_Alignas(LINE) uint32_t tail;	/* sender: published up to here */
	_Alignas(LINE) uint32_t head;	/* receiver: returned up to here */
	uint64_t taken;			/* receiver: packets so far, same line as head */
	_Alignas(LINE) uint32_t stop;	/* parent */
};

struct link {
	struct link_index *index;
	struct netmap_ring *tx;
	struct netmap_ring *rx;
	bool yield_tx;
	bool yield_rx;
};

static const uint8_t frame_header[16] = {
	0x02, 0, 0, 0, 0, 2, 0x02, 0, 0, 0, 0, 1, 0x08, 0x00,
};

static inline void
cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield" ::: "memory");
#endif
}

static inline void
idle_wait(unsigned int *spins, bool yield)
{
	cpu_relax();
	if (yield && ++*spins >= IDLE_SPINS) {
		*spins = 0;
		sched_yield();
	}
}

static inline char *
ring_buf(const struct netmap_ring *ring, uint32_t idx)
{
	return (char *)(uintptr_t)ring + ring->buf_ofs + (size_t)idx * BARE_BUF_SIZE;
}

static inline void
copy_by_lines(char *dst, const char *src, unsigned int len)
{
	for (unsigned int done = 0; done < len; done += 64)
		memcpy(dst + done, src + done, 64);
}

static inline void
slots_fill(struct netmap_ring *tx, uint32_t at, uint32_t n, uint32_t mask, uint16_t len, bool touch)
{
	for (uint32_t i = 0; i < n; i++) {
		struct netmap_slot *slot = &tx->slot[(at + i) & mask];

		slot->len = len;
		slot->flags = 0;
		if (touch)
			memcpy(ring_buf(tx, slot->buf_idx), frame_header, HEADER_LEN);
	}
}

static inline void
slots_swap(struct netmap_ring *tx, struct netmap_ring *rx, uint32_t at, uint32_t n, uint32_t mask)
{
	for (uint32_t i = 0; i < n; i++) {
		struct netmap_slot *ts = &tx->slot[(at + i) & mask];
		struct netmap_slot *rs = &rx->slot[(at + i) & mask];
		struct netmap_slot full = *ts;

		*ts = *rs;
		*rs = full;
	}
}

static inline void
slots_copy(struct netmap_ring *tx, struct netmap_ring *rx, uint32_t at, uint32_t n, uint32_t mask)
{
	for (uint32_t i = 0; i < n; i++) {
		const struct netmap_slot *ts = &tx->slot[(at + i) & mask];
		struct netmap_slot *rs = &rx->slot[(at + i) & mask];

		copy_by_lines(ring_buf(rx, rs->buf_idx), ring_buf(tx, ts->buf_idx), ts->len);
		rs->len = ts->len;
		rs->flags = ts->flags;
	}
}

static void
sender_run(const struct bare_params *p, const struct link *l)
{
	struct link_index *index = l->index;
	const uint32_t mask = p->slots - 1, usable = p->slots - 1;
	uint32_t tail = 0, head = 0;
	unsigned int spins = 0;

	while (!__atomic_load_n(&index->stop, __ATOMIC_RELAXED)) {
		uint32_t room = usable - (tail - head), n;

		if (room < p->batch) {
			/* acquire: what the receiver read is read before its slots are written again */
			head = __atomic_load_n(&index->head, __ATOMIC_ACQUIRE);
			room = usable - (tail - head);
			if (room == 0) {
				idle_wait(&spins, l->yield_tx);
				continue;
			}
		}
		n = room < p->batch ? room : p->batch;
		slots_fill(l->tx, tail, n, mask, (uint16_t)p->len, p->touch);
		if (p->kind == BARE_SWAP)
			slots_swap(l->tx, l->rx, tail, n, mask);
		else
			slots_copy(l->tx, l->rx, tail, n, mask);
		tail += n;
		/* release: slots and data are seen before the index that covers them */
		__atomic_store_n(&index->tail, tail, __ATOMIC_RELEASE);
	}
}

/* Takes up to one batch from a link; returns how many. */
static inline uint32_t
link_take(const struct bare_params *p, const struct link *l, uint32_t *head, uint32_t *tail, uint64_t *sum)
{
	const uint32_t mask = p->slots - 1;
	const struct netmap_ring *rx = l->rx;
	uint32_t n = *tail - *head;
	uint64_t acc = 0;

	if (n < p->batch) {
		*tail = __atomic_load_n(&l->index->tail, __ATOMIC_ACQUIRE);
		n = *tail - *head;
	}
	if (n > p->batch)
		n = p->batch;
	for (uint32_t i = 0; i < n; i++) {
		const struct netmap_slot *slot = &rx->slot[(*head + i) & mask];
		uint64_t word = 0;

		if (p->touch)
			memcpy(&word, ring_buf(rx, slot->buf_idx), sizeof(word));
		acc += word + slot->len + slot->flags;
	}
	*sum += acc;
	*head += n;
	return n;
}

static void
receiver_run(const struct bare_params *p, const struct link *links)
{
	uint32_t head[BARE_MAX_SENDERS] = { 0 }, tail[BARE_MAX_SENDERS] = { 0 };
	uint64_t sum = 0;
	unsigned int spins = 0;

	while (!__atomic_load_n(&links[0].index->stop, __ATOMIC_RELAXED)) {
		bool idle = true;

		for (unsigned int s = 0; s < p->senders; s++) {
			struct link_index *index = links[s].index;
			uint32_t n = link_take(p, &links[s], &head[s], &tail[s], &sum);

			if (n == 0)
				continue;
			idle = false;
			__atomic_store_n(&index->taken, index->taken + n, __ATOMIC_RELAXED);
			__atomic_store_n(&index->head, head[s], __ATOMIC_RELEASE);
		}
		if (idle)
			idle_wait(&spins, links[0].yield_rx);
	}
	/* what was read must have been read */
	__asm__ volatile("" : : "r"(sum));
}

static size_t
ring_size(const struct bare_params *p)
{
	size_t size = sizeof(struct netmap_ring) + p->slots * sizeof(struct netmap_slot);

	return (size + 4095) & ~(size_t)4095;
}

static size_t
link_size(const struct bare_params *p)
{
	return 4096 + 2 * ring_size(p) + (FIRST_BUF + 2 * (size_t)p->slots) * BARE_BUF_SIZE;
}

static struct netmap_ring *
ring_init(char *at, const char *bufs, const struct bare_params *p, uint32_t first_buf)
{
	struct netmap_ring *ring = (struct netmap_ring *)at;

	/* The constant members are const for programs; here we stand in for the engine. */
	*(int64_t *)(uintptr_t)&ring->buf_ofs = bufs - at;
	*(uint32_t *)(uintptr_t)&ring->num_slots = p->slots;
	*(uint32_t *)(uintptr_t)&ring->nr_buf_size = BARE_BUF_SIZE;
	for (uint32_t i = 0; i < p->slots; i++)
		ring->slot[i].buf_idx = first_buf + i;
	return ring;
}

static void
link_init(struct link *l, char *mem, const struct bare_params *p, unsigned int sender)
{
	char *tx = mem + 4096, *rx = tx + ring_size(p), *bufs = rx + ring_size(p);

	l->index = (struct link_index *)mem;
	l->tx = ring_init(tx, bufs, p, FIRST_BUF);
	l->rx = ring_init(rx, bufs, p, FIRST_BUF + p->slots);
	for (uint32_t i = FIRST_BUF; i < FIRST_BUF + 2 * p->slots; i++)
		memcpy(ring_buf(l->tx, i), frame_header, HEADER_LEN);
	l->yield_rx = false;
	l->yield_tx = p->tx_cpu[sender] == p->rx_cpu;
	for (unsigned int s = 0; s < p->senders; s++) {
		l->yield_rx |= p->tx_cpu[s] == p->rx_cpu;
		l->yield_tx |= s != sender && p->tx_cpu[s] == p->tx_cpu[sender];
	}
}

static pid_t
fork_pinned(int cpu, pid_t parent)
{
	pid_t pid = fork();
	cpu_set_t set;

	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (getppid() != parent || sched_setaffinity(0, sizeof(set), &set) != 0)
		_exit(1);
	return 0;
}

static int
processes_start(const struct bare_params *p, const struct link *links, pid_t *pids)
{
	pid_t parent = getpid();

	for (unsigned int i = 0; i <= p->senders; i++) {
		bool receiver = i == p->senders;
		pid_t pid = fork_pinned(receiver ? p->rx_cpu : p->tx_cpu[i], parent);

		if (pid < 0)
			return -errno;
		if (pid == 0) {
			if (receiver)
				receiver_run(p, links);
			else
				sender_run(p, &links[i]);
			_exit(0);
		}
		pids[i] = pid;
	}
	return 0;
}

static uint64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static uint64_t
links_taken(const struct link *links, unsigned int n)
{
	uint64_t sum = 0;

	for (unsigned int s = 0; s < n; s++)
		sum += __atomic_load_n(&links[s].index->taken, __ATOMIC_RELAXED);
	return sum;
}

static void
sleep_ms(unsigned int ms)
{
	struct timespec ts = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };

	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, &ts) == EINTR)
		;
}

static double
rate_measure(const struct bare_params *p, const struct link *links)
{
	uint64_t from_ns, from, to_ns, to;

	sleep_ms(p->warmup_ms);
	from = links_taken(links, p->senders);
	from_ns = now_ns();
	sleep_ms(p->run_ms);
	to = links_taken(links, p->senders);
	to_ns = now_ns();
	return (double)(to - from) * 1e9 / (double)(to_ns - from_ns);
}

int
bare_loop_run(const struct bare_params *p, double *pps)
{
	struct link links[BARE_MAX_SENDERS];
	pid_t pids[BARE_MAX_SENDERS + 1] = { 0 };
	size_t size;
	char *mem;
	int fd, ret;

	if (p->senders < 1 || p->senders > BARE_MAX_SENDERS || p->batch < 1 || p->batch >= p->slots ||
	    (p->slots & (p->slots - 1)) != 0 || p->len < HEADER_LEN || p->len > BARE_BUF_SIZE)
		return -EINVAL;
	size = link_size(p);
	fd = memfd_create("bare-loop", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)(size * p->senders)) != 0) {
		ret = -errno;
		goto err_close;
	}
	mem = mmap(NULL, size * p->senders, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
	if (mem == MAP_FAILED) {
		ret = -errno;
		goto err_close;
	}
	for (unsigned int s = 0; s < p->senders; s++)
		link_init(&links[s], mem + s * size, p, s);

	ret = processes_start(p, links, pids);
	if (ret == 0)
		*pps = rate_measure(p, links);
	for (unsigned int s = 0; s < p->senders; s++)
		__atomic_store_n(&links[s].index->stop, 1, __ATOMIC_RELAXED);
	for (unsigned int i = 0; i <= p->senders; i++) {
		int status = 0;

		if (pids[i] > 0 && waitpid(pids[i], &status, 0) == pids[i] && status != 0 && ret == 0)
			ret = -ECHILD;
	}
	munmap(mem, size * p->senders);
err_close:
	close(fd);
	return ret;
}
