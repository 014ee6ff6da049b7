/* SPDX-License-Identifier: BSD-2-Clause */
/* What follows from the facts about an interface, see verdict.h. */
#include <inttypes.h>
#include <net/if_arp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "verdict.h"

#define BUFFER_SIZE	2048u		/* of netmap's default region */
#define XDP_HEADROOM	256u		/* of it, which AF_XDP keeps free in front of a frame */
#define FRAME_EXTRA	22u		/* Ethernet header and two VLAN tags, beside the MTU */
#define SETCAP			"setcap cap_net_admin,cap_net_raw,cap_bpf+ep $(command -v netmapd)"
#define MEMLOCK_NEEDED	(64u << 20)	/* bytes that a port's buffers may take */

struct case_file {
	struct verdict *v;
	const char *ifname;
	const struct probe *p;
	const struct verdict_server *server;
	bool afxdp, afpacket;		/* still possible */
};

static struct finding *
finding_add(struct case_file *c, enum finding_level level, const char *check)
{
	/* One slot is never used but for what does not fit. */
	struct finding *f = &c->v->finding[c->v->n];

	if (c->v->n < FINDINGS_MAX - 1)
		c->v->n++;
	memset(f, 0, sizeof(*f));
	f->level = level;
	f->check = check;
	if (level == FINDING_BLOCKER)
		c->v->usable = false;
	return f;
}

static struct finding *__attribute__((format(printf, 4, 5)))
say(struct case_file *c, enum finding_level level, const char *check, const char *format, ...)
{
	struct finding *f = finding_add(c, level, check);
	va_list args;

	va_start(args, format);
	vsnprintf(f->text, sizeof(f->text), format, args);
	va_end(args);
	return f;
}

static void __attribute__((format(printf, 2, 3)))
remedy(struct finding *f, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(f->remedy, sizeof(f->remedy), format, args);
	va_end(args);
}

/* --- what makes it unusable --- */

static bool
link_judge(struct case_file *c)
{
	const struct probe *p = c->p;

	if (!p->exists) {
		remedy(say(c, FINDING_BLOCKER, "interface", "There is no interface %s in this network "
			"namespace.", c->ifname),
			"ip link show; or, in another namespace: ip netns exec NAME vale-ctl doctor %s",
			c->ifname);
		return false;
	}
	if (p->link.type != ARPHRD_ETHER && p->link.type != ARPHRD_LOOPBACK) {
		say(c, FINDING_BLOCKER, "interface", "%s does not carry Ethernet frames (link type %u), and "
			"netmap moves nothing else.",
			c->ifname, p->link.type);
		return false;
	}
	if (!(p->link.flags & IFF_UP)) {
		remedy(say(c, FINDING_BLOCKER, "link", "%s is down.", c->ifname), "ip link set dev %s up",
			c->ifname);
		return false;
	}
	if (p->kind != PROBE_TAP && !(p->link.flags & NETLINK_CARRIER))
		say(c, FINDING_WARNING, "link", "%s has no carrier: it can be opened, but no frame passes "
			"before its other end is up.",
			c->ifname);
	else
		say(c, FINDING_GOOD, "link", "%s is up.", c->ifname);
	return true;
}

/* --- rights --- */

static bool
may(const struct case_file *c, unsigned capabilities)
{
	return c->server->root || (c->p->rights.capabilities & capabilities) == capabilities;
}

/* The capabilities of these that are missing, in words. */
static void
missing(const struct case_file *c, unsigned needed, char *text, size_t size)
{
	static const struct {
		unsigned bit;
		const char *name;
	} names[] = {
		{ PROBE_CAP_NET_ADMIN, "CAP_NET_ADMIN" },
		{ PROBE_CAP_NET_RAW, "CAP_NET_RAW" },
		{ PROBE_CAP_BPF, "CAP_BPF" },
	};
	size_t used = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (needed & names[i].bit & ~c->p->rights.capabilities)
			used += (size_t)snprintf(text + used, size - used, "%s%s", used ? ", " : "",
				names[i].name);
}

static void
rights_judge(struct case_file *c)
{
	const unsigned packet = PROBE_CAP_NET_RAW | PROBE_CAP_NET_ADMIN, xdp = packet | PROBE_CAP_BPF;
	const struct probe_rights *r = &c->p->rights;
	const char *who = c->server->running ? "The netmapd that serves this user"
		: "A netmapd that this user starts";
	char names[80];

	if (c->server->root) {
		say(c, FINDING_GOOD, "permissions", "The netmapd that serves this user runs as root.");
		return;
	}
	if (!may(c, packet)) {
		missing(c, xdp, names, sizeof(names));
		remedy(say(c, FINDING_BLOCKER, "permissions", "%s has no right to open interfaces: %s %s "
			"missing.", who, names,
			strchr(names, ',') ? "are" : "is"),
			"run netmapd as root (systemctl start netmapd), or: " SETCAP);
		c->afxdp = c->afpacket = false;
		return;
	}
	if (!may(c, PROBE_CAP_BPF) || r->user_namespace) {
		remedy(say(c, FINDING_WARNING, "permissions", "%s may not load XDP programs: %s.", who,
			r->user_namespace ? "it is in a user namespace" : "CAP_BPF is missing"),
			"%s", r->user_namespace ? "run netmapd outside the container" : SETCAP);
		c->afxdp = false;
		return;
	}
	say(c, FINDING_GOOD, "permissions", "All capabilities needed are there.");
	if (!(r->capabilities & PROBE_CAP_SYS_ADMIN))
		say(c, FINDING_NOTE, "permissions", "Interfaces of other network namespaces cannot be "
			"opened: CAP_SYS_ADMIN is missing.");
}

static void
memlock_judge(struct case_file *c)
{
	const struct probe_rights *r = &c->p->rights;

	if (c->server->root || (r->capabilities & PROBE_CAP_IPC_LOCK) || r->memlock >= MEMLOCK_NEEDED) {
		say(c, FINDING_GOOD, "memlock", "Memory may be locked for AF_XDP.");
		return;
	}
	remedy(say(c, FINDING_WARNING, "memlock", "This user may lock %" PRIu64 " KiB of memory "
		"(RLIMIT_MEMLOCK), and AF_XDP locks all "
		"buffers of the port.", r->memlock >> 10),
		"ulimit -l unlimited (as root; LimitMEMLOCK=infinity in a systemd unit), or give netmapd "
		"CAP_IPC_LOCK");
	c->afxdp = false;
}

/* --- the system --- */

static void
system_judge(struct case_file *c)
{
	const struct probe *p = c->p;

	if (!p->xdp.sockets) {
		remedy(say(c, FINDING_WARNING, "kernel", "This kernel was built without AF_XDP."),
			"use one with CONFIG_XDP_SOCKETS=y");
		c->afxdp = false;
	} else {
		say(c, FINDING_GOOD, "kernel", "Linux %u.%u has AF_XDP.", p->kernel >> 16,
			p->kernel & 0xffff);
	}
	if (p->tcx == PROBE_YES)
		say(c, FINDING_GOOD, "tcx", "tc programs are attached as links (TCX) and go away with "
			"netmapd.");
	else
		say(c, FINDING_NOTE, "tcx", "This kernel has no TCX (Linux 6.6): a clsact filter and a "
			"guardian process take its place.");
	if (p->bpffs)
		say(c, FINDING_GOOD, "bpffs", "bpffs is mounted.");
	else
		remedy(say(c, FINDING_NOTE, "bpffs", "bpffs is not mounted. netmap does not need it; tools "
			"that share XDP programs do."),
			"mount -t bpf bpf /sys/fs/bpf");
}

/* --- XDP --- */

/* What is there already? */
static void
program_judge(struct case_file *c)
{
	const struct netlink_link *l = &c->p->link;
	uint32_t id = c->p->xdp.program_id;
	const char *name = c->p->xdp.program;

	if (id == 0)
		return;
	if (c->server->holds) {
		say(c, FINDING_GOOD, "xdp program", "The XDP program there (id %u) is netmap's own: the "
			"interface is open now.", id);
		return;
	}
	remedy(say(c, FINDING_WARNING, "xdp program", "An XDP program is attached already: id %u%s%s%s, %s. "
		"It would keep getting the frames, so "
		"netmap does without AF_XDP.", id, name[0] ? ", \"" : "", name, name[0] ? "\"" : "",
		l->xdp_native_id ? "native" : l->xdp_generic_id ? "generic" : "in hardware"),
		"find out whose it is (bpftool prog show id %u), then: ip link set dev %s %s off", id,
		c->ifname,
		l->xdp_native_id ? "xdpdrv" : l->xdp_generic_id ? "xdpgeneric" : "xdpoffload");
	c->afxdp = false;
}

static const char *
source_words(const struct probe *p)
{
	return p->xdp.source == PROBE_FROM_KERNEL ? "the kernel says so" : "by a table of drivers and "
		"kernels";
}

/* Generic XDP is taken without being asked for only where a device has finished all frames by itself. */
static bool
generic_is_good(const struct probe *p)
{
	return p->kind == PROBE_DEVICE && !(p->has_identity && strncmp(p->identity.driver, "virtio", 6) == 0);
}

static void
driver_judge(struct case_file *c)
{
	const struct probe *p = c->p;
	const char *driver = p->has_identity &&
		p->identity.driver[0] ? p->identity.driver : p->link.kind[0] ? p->link.kind : "without a "
		"name";

	if (p->xdp.source == PROBE_FROM_NOTHING)
		say(c, FINDING_NOTE, "driver", "What the driver (%s) can do with XDP is not known: Linux 6.3 "
			"and newer would tell. Native mode is tried "
			"first, then generic.", driver);
	else if (p->xdp.zerocopy == PROBE_YES)
		say(c, FINDING_GOOD, "driver", "The driver (%s) has zero-copy AF_XDP (%s).", driver,
			source_words(p));
	else if (p->xdp.native == PROBE_YES)
		say(c, FINDING_NOTE, "driver", "The driver (%s) has native XDP, and no zero-copy AF_XDP "
			"(%s): the kernel copies each frame once.",
			driver, source_words(p));
	else if (generic_is_good(p))
		say(c, FINDING_NOTE, "driver", "The driver (%s) has no XDP (%s): generic XDP takes frames "
			"later and slower, out of the kernel's own "
			"buffers.", driver, source_words(p));
	else
		remedy(say(c, FINDING_NOTE, "driver", "The driver (%s) has no XDP (%s): packet sockets are used, which unlike generic XDP "
			"know what is unfinished in a frame.", driver, source_words(p)), "NETMAP_DRIVER=afxdp-generic netmapd, for generic XDP all the same");
	if (p->kind == PROBE_LOOPBACK || (p->kind == PROBE_TAP && p->link.tun_queues > 0) || (p->xdp.native == PROBE_NO && !generic_is_good(p)))
		c->afxdp = false;
	if (p->kind == PROBE_DEVICE && p->xdp.zerocopy == PROBE_YES)
		say(c, FINDING_NOTE, "driver", "Zero-copy has not been tried with this project's code on "
			"hardware; NETMAP_DRIVER=afxdp-native does without.");
}

static void
mtu_judge(struct case_file *c)
{
	const struct probe *p = c->p;
	uint32_t frame = p->link.mtu + FRAME_EXTRA, room = BUFFER_SIZE - (c->afxdp ? XDP_HEADROOM : 0);

	if (frame <= room) {
		say(c, FINDING_GOOD, "mtu", "Frames of MTU %u fit a buffer.", p->link.mtu);
		return;
	}
	if (c->afxdp && p->kernel < PROBE_KERNEL(6, 6)) {
		remedy(say(c, FINDING_WARNING, "mtu", "With MTU %u a frame does not fit a buffer, and AF_XDP "
			"sockets take frames in several buffers only "
			"from Linux 6.6 on: packet sockets are used.", p->link.mtu),
			"ip link set dev %s mtu 1500", c->ifname);
		c->afxdp = false;
		return;
	}
	say(c, FINDING_NOTE, "mtu", "With MTU %u a frame may take several slots (NS_MOREFRAG), which "
		"programs must be prepared for.", p->link.mtu);
	if (c->afxdp && p->xdp.native == PROBE_YES && p->xdp.fragments == PROBE_NO)
		remedy(say(c, FINDING_WARNING, "mtu", "The driver's native XDP cannot do fragments: it may "
			"refuse this MTU, generic XDP is used then."),
			"ip link set dev %s mtu 1500", c->ifname);
}

/* --- the kind of interface --- */

static void
kind_judge(struct case_file *c)
{
	const struct probe *p = c->p;

	switch (p->kind) {
	case PROBE_VETH:
		say(c, FINDING_NOTE, "veth", "If both ends are opened by the same netmapd they are joined "
			"ring to ring. Else the far end's stack may send "
			"frames with unfinished checksums and tags beside them: ethtool -K IF tx off txvlan "
			"off, there, for exact frames.");
		break;
	case PROBE_TAP:
		if (p->link.tun_queues > 0)
			say(c, FINDING_NOTE, "tap", "A program holds the device side of this tap: netmap "
				"gets the host's side, by packet sockets, which know what that program leaves unfinished in its frames.");
		else
			say(c, FINDING_NOTE, "tap", "Nobody holds the device side of this tap: netmap takes "
				"it, and the host's stack is at the other end.");
		break;
	case PROBE_BOND:
		say(c, FINDING_NOTE, "bond", "Offloads of a bond's ports are theirs: LRO, once off, does not "
			"come back there by itself.");
		break;
	case PROBE_MACVLAN:
	case PROBE_VLAN:
	case PROBE_VIRTUAL:
		say(c, FINDING_NOTE, "kind", "%s is an interface on top of others (%s): opening the one "
			"below it is faster.", c->ifname, p->link.kind);
		break;
	case PROBE_BRIDGE:
		say(c, FINDING_NOTE, "kind", "%s is a bridge: netmap gets what the bridge passes up to the "
			"host, not what it forwards.", c->ifname);
		break;
	case PROBE_LOOPBACK:
		say(c, FINDING_WARNING, "kind", "%s is the loopback: what is taken from it, programs of this "
			"machine lose.", c->ifname);
		break;
	default:
		break;
	}
	if (p->link.port_of[0])
		remedy(say(c, FINDING_WARNING, "master", "%s is a port of a %s, which gets no frames from it "
			"while netmap has it.", c->ifname,
			p->link.port_of), "ip link set dev %s nomaster", c->ifname);
}

/* --- offloads, queues, the hardware --- */

static void
offloads_judge(struct case_file *c)
{
	const struct probe *p = c->p;
	char names[200] = "";
	size_t used = 0;

	for (unsigned i = 0; i < p->offloads.n && used < sizeof(names); i++)
		used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s", i ? ", " : "",
			p->offloads.name[i]);
	if (p->offloads_fixed[0])
		say(c, FINDING_WARNING, "offloads", "Offloads that merge or change frames are %s: longer "
			"frames than the MTU may arrive. Packet sockets "
			"take them apart; XDP cannot, and drivers refuse native XDP then.",
			p->offloads_fixed);
	if (p->offloads.n)
		say(c, FINDING_NOTE, "offloads", "Switched off while netmap has the interface, and restored "
			"afterwards: %s.", names);
	else if (p->has_offloads && !p->offloads_fixed[0])
		say(c, FINDING_GOOD, "offloads", "No offload that changes received frames is on.");
}

static void
queues_judge(struct case_file *c)
{
	const struct probe *p = c->p;
	uint32_t most = p->channels.combined_max + p->channels.rx_max;

	say(c, FINDING_GOOD, "queues", "%u receive and %u transmit queues, a ring for each.", p->rx_queues,
		p->tx_queues);
	if (p->kind == PROBE_DEVICE && p->rx_queues == 1 && most > 1)
		remedy(say(c, FINDING_NOTE, "queues", "One queue is in use, and the device has up to %u: "
			"several threads could share the work.", most),
			"ethtool -L %s %s %u", c->ifname, p->channels.combined_max > 1 ? "combined" : "rx",
			most);
	if (p->has_rings && p->rings.rx < p->rings.rx_max && p->rings.rx < 1024)
		remedy(say(c, FINDING_NOTE, "device rings", "The device's receive rings have %u descriptors "
			"of %u: bursts may be lost.", p->rings.rx,
			p->rings.rx_max), "ethtool -G %s rx %u", c->ifname,
			p->rings.rx_max < 4096 ? p->rings.rx_max : 4096);
}

static void
flow_control_judge(struct case_file *c)
{
	const struct ethtool_flow_control *f = &c->p->flow_control;

	if (!c->p->has_flow_control)
		return;
	if (!f->rx && !f->tx) {
		say(c, FINDING_GOOD, "flow control", "Flow control is off.");
		return;
	}
	remedy(say(c, FINDING_WARNING, "flow control", "Flow control is on (%s): a slow receiver stops its "
		"sender, and rates say nothing about losses.",
		f->rx && f->tx ? "both ways" : f->rx ? "receive" : "transmit"),
		"ethtool -A %s autoneg off rx off tx off", c->ifname);
}

static void
irqs_judge(struct case_file *c)
{
	const struct probe *p = c->p;
	const char *cpus = p->irq[0].cpus;
	bool same = p->irqs > 1 && cpus[0] != '\0';

	if (p->irqs == 0)
		return;
	for (unsigned i = 1; i < p->irqs; i++)
		same = same && strcmp(p->irq[i].cpus, cpus) == 0;
	/* On a list or a range of CPUs they may be spread as yet. */
	if (same && p->rx_queues > 1 && strpbrk(cpus, ",-") == NULL)
		remedy(say(c, FINDING_WARNING, "interrupts", "All %u interrupts of %s go to CPU %s.",
			p->irqs, c->ifname, cpus),
			"echo CPU > /proc/irq/%u/smp_affinity_list, for each of /proc/interrupts; stop "
			"irqbalance before", p->irq[0].number);
	else
		say(c, FINDING_GOOD, "interrupts", "%u interrupts; the first, %u (%s), goes to CPU %s. "
			"Programs run best beside them.", p->irqs,
			p->irq[0].number, p->irq[0].name, cpus[0] ? cpus : "?");
}

/* --- together --- */

static void
mode_choose(struct case_file *c)
{
	static const struct {
		const char *name, *words;
	} modes[] = {
		{ "none", "cannot be opened" },
		{ "tap", "TAP: netmap is the device side of the interface" },
		{ "afxdp-zerocopy", "AF_XDP, zero-copy: the device reads and writes the port's buffers" },
		{ "afxdp-native", "AF_XDP, native: XDP in the driver, one copy by the kernel" },
		{ "afxdp-generic", "AF_XDP, generic: XDP in the kernel's receive path, one copy" },
		{ "afxdp", "AF_XDP, in the best of its modes that works" },
		{ "afpacket", "af_packet: packet sockets with mapped rings" },
	};
	const struct probe *p = c->p;
	/* Drivers refuse native XDP beside hardware that merges frames. */
	bool sure = p->offloads_fixed[0] == '\0';
	unsigned m = 6;

	if (!c->v->usable || !c->afpacket)
		m = 0;
	else if (p->kind == PROBE_TAP && p->link.tun_queues == 0)
		m = 1;
	else if (c->afxdp && sure && p->xdp.zerocopy == PROBE_YES)
		m = 2;
	else if (c->afxdp && sure && p->xdp.native == PROBE_YES)
		m = 3;
	else if (c->afxdp && p->xdp.native == PROBE_NO)
		m = 4;
	else if (c->afxdp)
		m = 5;
	c->v->mode = modes[m].name;
	snprintf(c->v->mode_text, sizeof(c->v->mode_text), "%s", modes[m].words);
}

void
verdict_make(struct verdict *v, const char *ifname, const struct probe *p,
const struct verdict_server *server)
{
	struct case_file c = { .v = v, .ifname = ifname, .p = p, .server = server, .afxdp = true,
		.afpacket = true };

	memset(v, 0, sizeof(*v));
	v->usable = true;
	if (link_judge(&c)) {
		rights_judge(&c);
		system_judge(&c);
		memlock_judge(&c);
		program_judge(&c);
		driver_judge(&c);
		mtu_judge(&c);
		kind_judge(&c);
		offloads_judge(&c);
		queues_judge(&c);
		flow_control_judge(&c);
		irqs_judge(&c);
	}
	mode_choose(&c);
}
