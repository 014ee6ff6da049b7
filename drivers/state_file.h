/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What netmapd changes at an interface (offloads, the promiscuous flag), and a file that tells the next
 * netmapd about it should this one crash.
 *
 * The file is written before the change and removed after the restore. It is text, one record a file, in a
 * directory of netmapd's own:
 *
 *	netmap-state 1
 *	boot 6f2c...			boot id: a record of another boot is void
 *	netns 4 4026531840		device and inode of the network namespace
 *	interface 7 02:00:00:00:00:01 eth0
 *	promisc				if the flag was set by us
 *	feature rx-gro			if it was on
 *	end
 *
 * Its holder keeps it locked (flock), which is how a crashed one's is told from a living one's. Files that
 * are links, not ours, or open to others are not looked at.
 */
#ifndef DRIVERS_STATE_FILE_H
#define DRIVERS_STATE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <net/if.h>

#include "offloads.h"

/* A record: which interface, and what was changed at it. */
struct state_record {
	char boot[40];
	uint64_t netns_dev, netns_inode;
	uint32_t ifindex;
	uint8_t mac[6];
	char name[IFNAMSIZ];
	bool promisc;
	struct offloads_saved offloads;
};

/* An interface that is being held in the state that packet I/O needs. */
struct state_file {
	struct ethtool ethtool;
	struct state_record record;
	int dir_fd, fd;			/* -1: there is no file */
	char file[48];
};

/* What the interface should be like meanwhile. */
struct state_wish {
	unsigned offloads;		/* OFFLOADS_*, which groups to switch off */
	bool promisc;			/* by its flag; a packet socket's membership is better: it goes with it */
};

/*
 * Note what the wish will change, write it down in dir (NULL: nowhere), change it. Must run in the
 * interface's network namespace. What a dead holder of the same interface left in dir is restored first. text
 * (may be NULL): what did not become as wished (offloads that are fixed), or what failed. On failure nothing
 * is changed.
 */
int state_file_enter(struct state_file *s, const char *dir, const char *ifname,
		     const struct state_wish *wish, char *text,
		     size_t size);

/*
 * After a successful enter: change it back and remove the file; from any thread, in any namespace. -ENODEV:
 * the interface is gone, which is fine. After another failure the file stays for the next start.
 */
int state_file_leave(struct state_file *s, char *text, size_t size);

/* Told about each record that was found, in a sentence without newline. */
typedef void state_file_log(void *arg, const char *text);

/*
 * Restore what crashed holders left in dir, whatever namespace it is in, if the same interface (index, name,
 * MAC) is still there. Records of what is gone are removed; those that cannot be restored for lack of a
 * privilege stay. To be called when netmapd starts, in its own namespace. Returns how many interfaces were
 * restored, or -errno if dir cannot be read; no such directory is none restored.
 */
int state_file_recover(const char *dir, state_file_log *log, void *arg);

/* The record in a text; -EINVAL if it is not exactly one. */
int state_record_parse(struct state_record *r, const char *text);

/* The reverse. Returns the length; -ENOSPC. */
int state_record_format(const struct state_record *r, char *text, size_t size);

#endif
