/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A stand-in for the netmap device, for tests of the public API: open("/dev/netmap"), ioctl(NIOCCTRL), mmap,
 * munmap and close are answered here, and if_nametoindex() knows the interfaces that a test names. Everything
 * else reaches the C library. Each region has 2 NIC ring pairs and 1 host ring pair of FAKE_SLOTS slots.
 */
#ifndef LIBNETMAP_FAKE_H_
#define LIBNETMAP_FAKE_H_

#include <stdint.h>

#define NETMAP_HOST_SIDE
#define LIBNETMAP_NOTHREADSAFE
#include <libnetmap.h>

#define FAKE_SLOTS	8
#define FAKE_BUF_SIZE	256
#define FAKE_NIC_RINGS	2
#define FAKE_MEMSIZE	65536

struct fake {
	/* set by tests */
	const char	*interfaces;		/* separated by blanks */
	uint16_t	next_mem_id;		/* given to ports that ask for none */
	uint32_t	bad_offset;		/* not 0: returned as nr_offset */
	int		open_errno;		/* not 0: the call fails */
	int		ctrl_errno;
	int		mmap_errno;
	int		option_status;		/* what each option of a failed request gets */

	/* read by tests */
	int		n_fds;			/* open device descriptors */
	int		n_maps;			/* mappings of the device or of files */
	int		n_mmap_calls;
	struct nmreq_header	hdr;		/* of the last request */
	struct nmreq_register	reg;		/* as it came */
	int		n_options;
	char		error[512];		/* last message */
	int		n_errors;

	/* of the context fake_ctx */
	int		n_allocated;
	int		malloc_countdown;	/* this many succeed, then one fails; -1: all succeed */
	int		lock_depth;
	int		n_locks;
};

extern struct fake fake;

/* Reports into fake.error, counts allocations and checks that locking is balanced. */
extern struct nmctx fake_ctx;

/*
 * Setup and teardown of each test: a fresh state, fake_ctx as the default; nothing left open, mapped or
 * allocated.
 */
int fake_setup(void **state);
int fake_teardown(void **state);

#endif /* LIBNETMAP_FAKE_H_ */
