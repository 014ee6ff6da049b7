/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Switch modules: what a VALE switch does with a packet, in place of learning addresses. netmap_switch(3) has a whole
 * example.
 *
 * A module is a shared object that netmapd loads, from its module directory and for as long as some switch uses it. It
 * exports one object of this name:
 *
 *	const struct netmap_switch_module netmap_switch_module = {
 *		.abi = NETMAP_SWITCH_ABI, .size = sizeof(netmap_switch_module), .name = "example", .lookup = example_lookup,
 *	};
 *
 * Threads. The functions get the context that `create` made for one switch, and no two of them are called for the same
 * switch at the same time: a module needs no locks as long as it keeps what it knows in that context. `lookup` is called
 * by one of netmapd's workers, the others by its control thread. All ports of the switch, and every other request, wait
 * for the function that runs: none of them may block. A module is part of netmapd: when it crashes, so does netmapd.
 *
 * Ownership. Strings and arrays that a function is given are netmapd's and last until it returns. The module object and
 * its name must last as long as the shared object is loaded.
 *
 * Errors are 0 or -errno, as in netmap's own requests; what `create`, `config` and `port_up` return is what the program
 * that asked gets as errno.
 */
#ifndef NETMAP_SWITCH_H_
#define NETMAP_SWITCH_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define NETMAP_SWITCH_ABI		1u
#define NETMAP_SWITCH_SYMBOL		"netmap_switch_module"

#define NETMAP_SWITCH_PORTS		254u	/* ports have indexes 0 to 253 */
#define NETMAP_SWITCH_BROADCAST		254u	/* to all ports, but for the one that it came from */
#define NETMAP_SWITCH_DROP		255u	/* to none; counted as filtered */
#define NETMAP_SWITCH_HEADER_MAX	256u	/* bytes of a packet that a module can ask to see */
#define NETMAP_SWITCH_HEADER_DEFAULT	64u

/* One packet of a batch. */
struct netmap_switch_packet {
	/*
	 * In. `header` holds the first header_len bytes of the frame, without a virtio-net header: a copy that nobody
	 * else sees, at an address that is a multiple of 64. At least 14 bytes, fewer than the module asked for if the
	 * frame is shorter. What is delivered is the sender's buffer, which it may still change: nothing but the copy
	 * is worth a decision.
	 */
	uint8_t		*header;
	uint32_t	header_len;
	uint32_t	len;		/* of the whole frame, bytes */
	uint16_t	src_port;	/* index of the port on the switch, and the transmit ring of it */
	uint16_t	src_ring;
	/*
	 * Out. As it comes: DROP, and the number of the transmit ring. A port that is not there, its own source, or a
	 * number that means nothing drops the packet (filtered). The ring is taken modulo those that the port has.
	 */
	uint16_t	dst_port;
	uint16_t	dst_ring;
	/*
	 * Out. So many bytes from the start of `header`, at most header_len, were changed and are to go out like that.
	 * They are written to the sender's buffer, which the sender finds so afterwards. 0 as it comes.
	 */
	uint16_t	rewrite;
	uint16_t	reserved;
};

struct nm_ifreq;	/* <net/netmap.h>: a name of 16 bytes, and 256 bytes of data */

struct netmap_switch_module {
	uint32_t	abi;		/* NETMAP_SWITCH_ABI */
	uint32_t	size;		/* of this structure as the module knows it: it may grow at its end */
	const char	*name;		/* for people */
	uint32_t	header_len;	/* bytes that lookup wants to see, 14 to 256; 0: 64 */
	uint32_t	flags;		/* 0 */
	/*
	 * For a switch that gets the module: *ctx is handed to all other functions. Ports that are there already come
	 * up right afterwards. NULL: the context is NULL.
	 */
	int		(*create)(const char *switch_name, void **ctx);
	/* The switch loses the module, or ends. No port is up any more. */
	void		(*destroy)(void *ctx);
	/* Decides about n packets, 1 to 1024, in the order in which they were sent from one ring. Must be there. */
	void		(*lookup)(void *ctx, struct netmap_switch_packet *packets, unsigned int n);
	/* NIOCCONFIG: what is changed in *req, the program gets. NULL: EINVAL, as for a switch without a module. */
	int		(*config)(void *ctx, struct nm_ifreq *req);
	/*
	 * A port comes, with this index and name ("vale0:a") and so many rings that receive. An error keeps it away from
	 * the switch, and port_down is not called for it. May be NULL.
	 */
	int		(*port_up)(void *ctx, unsigned int port, const char *name, unsigned int rings);
	/* It goes. May be NULL. */
	void		(*port_down)(void *ctx, unsigned int port);
};

/* Defined by the module. */
extern const struct netmap_switch_module netmap_switch_module __attribute__((visibility("default")));

#ifdef __cplusplus
}
#endif

#endif /* NETMAP_SWITCH_H_ */
