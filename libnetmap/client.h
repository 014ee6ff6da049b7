/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The client side of the user host: what stands between an intercepted call and the engine. Functions return 0 or -errno unless they say otherwise.
 * Thread-safe. Those marked (signal-safe) take no lock and allocate nothing.
 */
#ifndef LIBNETMAP_CLIENT_H
#define LIBNETMAP_CLIENT_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

/* One per session that this process knows; shared by all descriptors for it. Counted. */
struct client_session;
/* One per thread that waits. */
struct client_waiter;

/* open("/dev/netmap"): returns the new descriptor (close-on-exec as asked) and a counted session. Starts a private netmapd if there is none. */
int client_open(int oflags, struct client_session **out);
/* Is this descriptor, unknown so far, a session's? -ENOTTY if not (cheap: one getsockopt). A counted session otherwise. */
int client_adopt(int fd, struct client_session **out);
struct client_session *client_get(struct client_session *s);
void client_put(struct client_session *s);
/* SO_COOKIE of the session's descriptor: an entry of the descriptor table is right only while the descriptor still has it. */
uint64_t client_cookie(const struct client_session *s);

/* ioctl(): returns the call's result: 0 or -errno. Handles every netmap request number; others -EOPNOTSUPP. arg may be any pointer: -EFAULT. */
int client_ioctl(struct client_session *s, unsigned long request, void *arg);

/*
 * mmap() of the session's descriptor: an ordinary mapping of its region. *out is the address. The mapping keeps the session alive after
 * close(); client_unmapped tells that [addr, addr+length) was unmapped (called for every munmap/mremap/MAP_FIXED in the process: must cost
 * nothing while no session is mapped).
 */
int client_mmap(struct client_session *s, int fd, void *addr, size_t length, int prot, int flags, off_t offset, void **out);
bool client_mapped_any(void);					/* (signal-safe) */
void client_unmapped(const void *addr, size_t length);

/* The sync passes of poll(2) for this session (signal-safe): POLLIN, POLLOUT, POLLERR. Does not block, makes no system call if it can. */
short client_poll(struct client_session *s, short events);

/* The calling thread's waiter; NULL if it can have none (errno set). */
struct client_waiter *client_waiter(void);
/*
 * To sleep: client_arm_begin; client_arm for every session; client_poll each once more; if nothing is ready, client_wait (every descriptor asked about is
 * a session's) or a system call that includes client_waiter_fd among its descriptors (others are there as well); client_disarm each; client_arm_end.
 * with_fd says which of the two it will be.
 */
void client_arm_begin(struct client_waiter *w, bool with_fd);
void client_arm(struct client_waiter *w, struct client_session *s, short events);
void client_disarm(struct client_waiter *w, struct client_session *s, short events);
void client_arm_end(struct client_waiter *w);
/*
 * Before arming, looking again for up to CLIENT_SPIN_NS saves both sides a sleep when something comes that soon. client_spin_begin says whether to try:
 * not on one CPU, and as a rule only while it paid lately. client_spin_end hears how it went. (signal-safe)
 */
#define CLIENT_SPIN_NS	20000
bool client_spin_begin(void);
void client_spin_end(bool found);
/*
 * Sleeps until woken (0), the timeout (-ETIMEDOUT; NULL: none), or a signal (-EINTR). The mask, when given, is in force during the sleep as with ppoll.
 * Returns 0 now and then without cause (at least once a second, to notice that netmapd died: client_poll then says POLLERR).
 * A cancellation point: the caller holds nothing but what a cleanup handler of his undoes, the arming among it.
 */
int client_wait(struct client_waiter *w, const struct timespec *timeout, const void *sigmask);
/* -1 if the process has no descriptor left for it: then sleep in slices of some milliseconds. Readable when the thread was woken; to be drained by client_waiter_drain after the call, if it was readable. */
int client_waiter_fd(struct client_waiter *w);
void client_waiter_drain(struct client_waiter *w);
/* Kernel descriptors that stand behind the session's NIC rings: fills up to max entries, returns how many; then with_fd is needed. */
unsigned client_kernel_fds(struct client_session *s, short events, struct pollfd *fds, unsigned max);

/* Milliseconds after which client_poll must be called again even if nothing woke the thread (frames wait in a NIC ring that nobody announces); -1: none. */
int client_kernel_timeout(struct client_session *s, short events);
/* A number that changes whenever slots became available to the program in the direction of `event`, POLLIN or POLLOUT. (signal-safe) */
uint64_t client_progress(struct client_session *s, short event);

/* What failed last in this thread, for people: which port, what was needed, what to change. Empty if there is nothing to say. Valid until the next call. */
const char *client_last_why(void);

/* Who serves this process. Connects, and starts a private netmapd where there is none. */
struct proto_info_reply;
int client_info(struct proto_info_reply *info);

/* True for the library's own descriptors, which close_range, closefrom and close must spare. (signal-safe) */
bool client_owns_fd(int fd);
/* Lowest number that the library's own descriptors may have: they are moved there on creation. */
#define CLIENT_FD_FLOOR	500

/* fork(): the child gets a connection of its own on its first use. */
void client_forked(void);

#endif /* LIBNETMAP_CLIENT_H */
