/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The wire protocol between libnetmap and netmapd; docs/protocol.md tells the whole story.
 *
 * One SOCK_SEQPACKET connection per process, opened on first use and again after fork. A message is one packet: a header, then the body of its type.
 * Every request but WAKE and THREAD_EXIT is answered by one reply of the same type and sequence number; replies come in the order of the requests.
 * A reply with an error is the header alone, but for HELLO, REQUEST, PARAM_SET, FDB_SET and SWITCH, whose replies are always whole: they
 * carry a text.
 * Sizes are exact (that of a request_msg is its len): a message of another size, an unknown type, a wrong magic or version, or descriptors that the
 * type does not carry close the connection. All numbers are in the machine's byte order: both ends run on one machine.
 *
 * Sessions are named by numbers that are never used twice by one netmapd. Every process that netmapd trusts to run the data path shares the whole
 * arena with the others, and may name any session: a descriptor that came by fork needs no further message, only its number.
 */
#ifndef LIBNETMAP_PROTOCOL_H
#define LIBNETMAP_PROTOCOL_H

#include <stdint.h>

#include "../engine/params.h"
#include "../engine/request.h"
#include "../engine/ring.h"
#include "../engine/region.h"

#define PROTO_MAGIC	0x316d6e64u	/* "dnm1" */
#define PROTO_VERSION	1u
#define PROTO_FDS_MAX	64		/* descriptors in one message */

/* Marks netmapd's sockets: a descriptor whose SO_SNDTIMEO reads like this is worth showing to netmapd. */
#define PROTO_MARK_SEC	0x6e657400
#define PROTO_MARK_USEC	500000		/* a whole number of ticks, whatever the kernel's HZ: reads back as written */

enum proto_type {
	PROTO_HELLO = 1,	/* first message of a connection */
	PROTO_THREAD,		/* a thread wants an actor entry */
	PROTO_THREAD_FD,	/* gives the event descriptor by which that thread is woken */
	PROTO_THREAD_EXIT,	/* no reply */
	PROTO_OPEN,		/* a new session: open("/dev/netmap") */
	PROTO_ATTACH,		/* shows a descriptor that came by fork, exec or SCM_RIGHTS */
	PROTO_REQUEST,		/* a control request on a session */
	PROTO_REGION,		/* descriptor of a region's memory, for its place in the arena */
	PROTO_MMAP,		/* descriptor of a session's region, for the application's own mapping */
	PROTO_WAKE,		/* no reply: signal that thread's event descriptor */
	PROTO_NIC,		/* descriptors of a NIC port */
	PROTO_STATS,		/* ports and counters, as a sealed memfd */
	PROTO_INFO,		/* who serves here */
	PROTO_UNREGISTER,	/* undoes a session's registration, which the process cannot carry out on its side */
	PROTO_PARAM_GET,	/* a parameter by number */
	PROTO_PARAM_SET,	/* a parameter by name */
	PROTO_FDB,		/* a switch's forwarding table, as a sealed memfd */
	PROTO_FDB_SET,		/* makes or removes an entry of it */
	PROTO_SWITCH,		/* owning a switch, its module, and the owner's token */
	PROTO_SWITCH_GET,	/* a switch by number */
	PROTO_SOCKETS,		/* sockets of a session's network namespace, for its next request */
	PROTO_TYPES
};

struct proto_header {
	uint32_t magic;
	uint16_t version;
	uint16_t type;		/* enum proto_type */
	uint32_t seq;		/* chosen by the client, echoed */
	int32_t error;		/* in replies: 0 or an errno value */
};

/* HELLO. Reply carries the descriptor of the arena's state memory. */
struct proto_hello {
	uint32_t layout;	/* ARENA_LAYOUT the client was built with */
	uint32_t flags;		/* 0 */
};

struct proto_hello_reply {
	uint64_t arena_base;	/* address of the state memory, in every process */
	uint64_t arena_state;	/* bytes of address space for state; the file grows behind it */
	uint64_t arena_size;	/* bytes in all: regions follow the state */
	uint64_t root;		/* address of struct arena_root */
	uint64_t alive;		/* address of a word that the kernel marks with FUTEX_OWNER_DIED when netmapd ends */
	uint32_t generation;
	uint32_t process;	/* number of this process */
	char text[240];		/* on error: why, and what to do */
};

struct proto_thread {
	int32_t tid;
};

struct proto_thread_reply {
	uint32_t actor;
};

/* THREAD_FD (with one descriptor), THREAD_EXIT and WAKE. */
struct proto_actor {
	uint32_t actor;
};

/* OPEN carries the descriptor of the caller's network namespace, or none; its reply the session's. ATTACH carries the descriptor shown. */
struct proto_session_reply {
	uint64_t cookie;	/* SO_COOKIE of the application's end */
	uint64_t binding;	/* address of struct binding in the arena */
	uint32_t session;
	uint32_t binding_id;	/* of that binding while the session is open: it is used again with another one */
};

/* A REGISTER with the EXTMEM option carries the descriptor of a file: nro_usrptr is the offset in it where the memory begins. */
struct proto_request {
	uint32_t session;
	uint32_t reserved;
	struct request_msg msg;
};

struct proto_request_reply {
	struct why why;
	struct request_msg msg;
};

struct proto_region {
	uint32_t no;
	uint32_t generation;
};

/* REGION and MMAP (request: proto_session, as of UNREGISTER, whose reply has no body). Reply carries the memfd. */
struct proto_region_reply {
	uint64_t addr;		/* place in the arena */
	uint64_t size;
	uint64_t offset;	/* in the file: 0, but for external memory */
	uint64_t page;		/* bytes: mappings of the file are multiples of it */
	uint32_t no;
	uint32_t generation;
};

struct proto_session {
	uint32_t session;
};

/* NIC: reply carries the driver's descriptors. */
struct proto_nic {
	uint32_t port;		/* struct port.id */
	uint32_t host;		/* 1: its host rings, 0: the interface's own */
};

struct proto_nic_reply {
	uint64_t shared;	/* address of struct driver_shared in the arena */
	uint32_t fds;
	uint32_t id;		/* struct port.id, or host_id */
};

/* STATS: reply carries a sealed memfd with `ports` records, each followed by its rings. */
struct proto_stats_reply {
	uint64_t size;		/* bytes in the memfd */
	uint64_t when_ns;	/* CLOCK_MONOTONIC */
	uint32_t ports;
	uint32_t reserved;
};

struct proto_stats_ring {
	struct ring_counters own;	/* moved by syncs of this ring */
	struct ring_counters in;	/* arrived from elsewhere (VALE receive rings) */
	uint32_t dir;			/* enum ring_dir */
	uint32_t id;
	uint32_t slots;
	uint32_t used;			/* slots that hold frames */
	uint32_t users;			/* descriptors bound to it */
	uint32_t lease_age_s;		/* of the oldest unfinished lease, when over a second; else 0 */
	int32_t lease_pid;		/* whose */
	uint32_t reserved;
};

#define PROTO_PORT_PERSISTENT	0x100u	/* the port stays until it is removed */

struct proto_stats_port {
	char name[NETMAP_REQ_IFNAMSIZ];
	char mode[192];			/* for people: "learning", "pipe", "af_packet (...)" */
	uint32_t type;			/* enum port_type, and PROTO_PORT_PERSISTENT */
	uint32_t rings;			/* proto_stats_ring records that follow */
	uint32_t mem_id;
	uint32_t users;
	uint64_t mem_size;		/* bytes of the region, virtual */
	uint32_t switch_port;		/* VALE: index on the switch */
	uint32_t hdr_len;
};

/* PARAM_GET: ENOENT beyond the last. */
struct proto_param_get {
	uint32_t index;
};

struct proto_param_reply {
	char name[PARAM_NAME_SIZE];
	char note[PARAM_NOTE_SIZE];
	uint64_t value, default_value;
	uint64_t min, max;
	uint32_t read_only;
	uint32_t no_effect;
};

/* PARAM_SET: the reply is a struct why. */
struct proto_param_set {
	char name[PARAM_NAME_SIZE];
	uint64_t value;
};

/* FDB: reply carries a sealed memfd with `entries` records. ENOENT: no such switch. */
struct proto_fdb {
	char name[NETMAP_REQ_IFNAMSIZ];	/* of the switch */
};

struct proto_fdb_reply {
	uint64_t size;			/* bytes in the memfd */
	uint32_t entries;
	uint32_t places;		/* how many the table has room for */
	uint32_t age;			/* seconds until an address is forgotten, 0: never */
	uint32_t reserved;
};

struct proto_fdb_entry {
	uint8_t addr[6];
	uint16_t port;			/* index on the switch */
	uint32_t age_s;			/* since it was seen last */
	uint32_t is_static;
	char port_name[NETMAP_REQ_IFNAMSIZ];	/* empty: the port has just left */
};

enum proto_fdb_op {
	PROTO_FDB_ADD = 1,		/* a static entry; name is the port's */
	PROTO_FDB_REMOVE		/* any entry; name is the switch's */
};

/* FDB_SET: the reply is a struct why. */
struct proto_fdb_set {
	char name[NETMAP_REQ_IFNAMSIZ];
	uint8_t addr[6];
	uint16_t op;			/* enum proto_fdb_op */
};

enum proto_switch_op {
	PROTO_SWITCH_OWN = 1,		/* makes the switch; the reply has its token */
	PROTO_SWITCH_DISOWN,
	PROTO_SWITCH_MODULE,		/* puts the module on it; an empty name: learning */
	PROTO_SWITCH_TOKEN		/* requests of that session count as the owner's of any switch with this token */
};

/* SWITCH: the reply is whole also when it fails. */
struct proto_switch {
	char name[NETMAP_REQ_IFNAMSIZ];	/* of the switch */
	char module[32];
	uint64_t token;			/* 0: none */
	uint32_t session;		/* TOKEN */
	uint32_t op;			/* enum proto_switch_op */
};

struct proto_switch_reply {
	struct why why;
	uint64_t token;			/* OWN */
};

#define PROTO_SWITCH_OWNED	1u
#define PROTO_SWITCH_WORKER	2u	/* netmapd forwards there, not the senders */

/* SWITCH_GET (request: proto_param_get): ENOENT beyond the last. */
struct proto_switch_info {
	char name[NETMAP_REQ_IFNAMSIZ];
	char module[32];		/* empty: learning */
	uint32_t ports;
	uint32_t flags;
};

struct proto_info_reply {
	int32_t pid;
	uint32_t uid;
	uint32_t sessions;
	uint32_t generation;
	char version[32];
	char socket[128];
};

#endif /* LIBNETMAP_PROTOCOL_H */
