/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * This replaces the list that the C library registered for the thread: netmapd uses no robust mutex.
 */
#include <errno.h>
#include <linux/futex.h>
#include <unistd.h>

#include "../engine/atomic.h"
#include "../host/sys.h"
#include "alive.h"

static struct robust_list entry;
static struct robust_list_head head;

int
alive_init(uint32_t *word)
{
	int err;

	entry.next = &head.list;
	head.list.next = &entry;
	head.futex_offset = (char *)word - (char *)&entry;
	head.list_op_pending = NULL;
	store_release(word, (uint32_t)sys_gettid());
	err = sys_call6(SYS_set_robust_list, (long)&head, sizeof(head), 0, 0, 0, 0);
	/* Without it clients notice a little later, by the hang-up of their connection. */
	return err == -ENOSYS ? 0 : err;
}
