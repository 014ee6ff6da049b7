/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Host rings of an interface, see driver_host_open in driver.h.
 *
 *	  stack of the interface
 *	 egress |      ^ ingress
 *	  [stack_out]  | [drop but for the mark]
 *	        v      |
 *	       near end          in the interface's network namespace
 *	  [near_out]  [near_in]
 *	           veth
 *	        far end          in a namespace of its own, driven by packet sockets
 *
 * Programs at tc hooks (bpf/host_tc.bpf.c) carry frames between the interface and the near end. What the
 * stack sends is as it leaves the stack, segmentation and checksums unfinished: the packet sockets' driver
 * finishes them, as it does with those of any other far stack.
 *
 * Nothing else lives in the far end's namespace, and only our descriptor and the sockets hold it: when
 * netmapd ends, however it does, the programs go at once, and the pair with the last program that has the
 * sockets.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>

#include "backend.h"
#include "bpf/host_tc.h"
#include "bpf_objects.h"
#include "error.h"
#include "host_stack.h"
#include "netns.h"
#include "tc_hook.h"

#define REQUEST_MAX	1024
/* Never what stands in a frame's way: the interface's own MTU does, and may change. */
#define PAIR_MTU	65535u

enum host_hook {
	HOOK_NEAR_IN,
	HOOK_NEAR_OUT,
	HOOK_STACK_OUT,
	HOOKS
};

/* driver_port.host */
struct host_stack {
	struct driver_port *nic;
	struct bpf_object *programs;
	struct tc_hook hook[HOOKS];
	char near[IFNAMSIZ];
	uint32_t near_ifindex;		/* 0: there is no pair */
};

struct host_job {
	struct driver_port *port;
	struct driver_error *err;
};

/* ---- a namespace of its own ---- */

/*
 * Inherited settings may ask for addresses and advertisements: there shall be none. Not to be had in every
 * container.
 */
static void ipv6_disable(void)
{
	static const char *const files[] = {
		"/proc/sys/net/ipv6/conf/all/disable_ipv6", "/proc/sys/net/ipv6/conf/default/disable_ipv6",
	};
	ssize_t n;

	for (unsigned i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		int fd = open(files[i], O_WRONLY | O_CLOEXEC);

		if (fd < 0)
			continue;
		n = write(fd, "1", 1);
		(void)n;
		close(fd);
	}
}

static void *namespace_thread(void *arg)
{
	int *fd = arg;

	if (unshare(CLONE_NEWNET) < 0) {
		*fd = -errno;
		return NULL;
	}
	ipv6_disable();
	*fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (*fd < 0)
		*fd = -errno;
	return NULL;
}

/* A descriptor of a new network namespace; -errno. */
static int namespace_make(void)
{
	sigset_t all, old;
	pthread_t thread;
	int fd = -EIO, err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&thread, NULL, namespace_thread, &fd);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (err)
		return -err;
	pthread_join(thread, NULL);
	return fd;
}

/* ---- the pair ---- */

static struct nlmsghdr *link_request(char *buf, uint16_t type, uint16_t flags, uint32_t ifindex, uint32_t iff)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ifinfomsg *ifi;

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));
	ifi->ifi_family = AF_UNSPEC;
	ifi->ifi_index = (int)ifindex;
	ifi->ifi_flags = ifi->ifi_change = iff;
	return nlh;
}

static int pair_create(struct host_stack *h, int far_netns)
{
	struct nlattr *info, *data, *peer;
	struct netlink_link link;
	char buf[REQUEST_MAX];
	struct nlmsghdr *nlh = link_request(buf, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0, 0);
	int rc;

	mnl_attr_put_strz(nlh, IFLA_IFNAME, h->near);
	mnl_attr_put_u32(nlh, IFLA_MTU, PAIR_MTU);
	info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
	mnl_attr_put_strz(nlh, IFLA_INFO_KIND, "veth");
	data = mnl_attr_nest_start(nlh, IFLA_INFO_DATA);
	peer = mnl_attr_nest_start(nlh, VETH_INFO_PEER);
	memset(mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifinfomsg)), 0, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(nlh, IFLA_IFNAME, h->near);
	mnl_attr_put_u32(nlh, IFLA_MTU, PAIR_MTU);
	mnl_attr_put_u32(nlh, IFLA_NET_NS_FD, (uint32_t)far_netns);
	mnl_attr_nest_end(nlh, peer);
	mnl_attr_nest_end(nlh, data);
	mnl_attr_nest_end(nlh, info);
	rc = netlink_run(&h->nic->nl, nlh, NULL, NULL);
	if (rc)
		return rc;
	rc = netlink_link_get(&h->nic->nl, h->near, 0, &link);
	h->near_ifindex = link.ifindex;
	return rc;
}

static void pair_delete(struct host_stack *h)
{
	char buf[REQUEST_MAX];

	if (h->near_ifindex)
		netlink_run(&h->nic->nl, link_request(buf, RTM_DELLINK, 0, h->near_ifindex, 0), NULL, NULL);
	h->near_ifindex = 0;
}

/* Without addresses of its own, then up. Kernels without IPv6 refuse the first, which is as well. */
static int end_up(struct netlink *nl, uint32_t ifindex)
{
	struct nlattr *spec, *inet6;
	char buf[REQUEST_MAX];
	struct nlmsghdr *nlh = link_request(buf, RTM_NEWLINK, 0, ifindex, 0);

	spec = mnl_attr_nest_start(nlh, IFLA_AF_SPEC);
	inet6 = mnl_attr_nest_start(nlh, AF_INET6);
	mnl_attr_put_u8(nlh, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
	mnl_attr_nest_end(nlh, inet6);
	mnl_attr_nest_end(nlh, spec);
	netlink_run(nl, nlh, NULL, NULL);
	return netlink_run(nl, link_request(buf, RTM_NEWLINK, 0, ifindex, IFF_UP), NULL, NULL);
}

/* ---- the programs ---- */

static int programs_load_with(struct host_stack *h, const struct host_tc_config *config)
{
	struct bpf_map *map;
	int rc;

	h->programs = bpf_object__open_mem(bpf_host_tc, bpf_host_tc_size, NULL);
	if (!h->programs)
		return -errno;
	map = bpf_object__find_map_by_name(h->programs, ".rodata");
	rc = map && bpf_map__set_initial_value(map, config, sizeof(*config)) == 0 ? bpf_object__load(h->programs) : -EINVAL;
	if (rc) {
		bpf_object__close(h->programs);
		h->programs = NULL;
	}
	return rc;
}

/*
 * To see who has a tap at the interface takes CAP_PERFMON and a kernel that describes its types: without, nobody
 * is shown what the stack sends. Nor where nothing would take the copy before the stack gets it.
 */
static int programs_load(struct host_stack *h)
{
	struct host_tc_config config = {
		.mark = h->nic->mark, .nic_ifindex = h->nic->info.ifindex, .near_ifindex = h->near_ifindex,
		.mark_seen = HOST_MARK_SEEN(h->nic->mark), .look = h->nic->drop.mode != INGRESS_NONE,
		.own_taps = h->nic->info.kind == DRIVER_AFPACKET,
		.label = host_label_make(h->nic->mark),
	};
	struct netlink_link link;
	int rc = netlink_link_get(&h->nic->nl, NULL, h->nic->info.ifindex, &link);

	if (rc)
		return rc;
	config.labelled = h->nic->info.kind == DRIVER_AFXDP && link.xdp_generic_id != 0;
	libbpf_set_print(NULL);
	rc = programs_load_with(h, &config);
	if (rc == 0 || !config.look)
		return rc;
	config.look = 0;
	return programs_load_with(h, &config);
}

static int hook_add(struct host_stack *h, enum host_hook which, enum driver_ingress mode)
{
	static const struct {
		const char *program;
		enum tc_side side;
	} hooks[HOOKS] = {
		[HOOK_NEAR_IN] = { "near_in", TC_SIDE_INGRESS },
		[HOOK_NEAR_OUT] = { "near_out", TC_SIDE_EGRESS },
		[HOOK_STACK_OUT] = { "stack_out", TC_SIDE_EGRESS },
	};
	bool near = which != HOOK_STACK_OUT;
	const struct tc_place place = {
		.ifindex = near ? h->near_ifindex : h->nic->info.ifindex,
		.side = hooks[which].side,
		.mortal = near,
		.qdisc_ours = !near && h->nic->drop.hook.qdisc_ours,
	};
	int prog = bpf_program__fd(bpf_object__find_program_by_name(h->programs, hooks[which].program));

	return tc_hook_add(&h->hook[which], mode, &place, prog);
}

static void hooks_remove(struct host_stack *h)
{
	for (unsigned i = HOOKS; i-- > 0;)
		tc_hook_remove(&h->hook[i]);
}

/* The interface's own last: from then on frames are on the way. */
static int hooks_add(struct host_stack *h, enum driver_ingress mode)
{
	int rc = 0;

	for (unsigned i = 0; i < HOOKS; i++) {
		rc = hook_add(h, i, mode);
		if (rc) {
			hooks_remove(h);
			return rc;
		}
	}
	return 0;
}

/* Runs in the interface's namespace. */
static int hooks_open(void *arg)
{
	struct host_job *job = arg;
	struct host_stack *h = job->port->host;
	enum driver_ingress mode = h->nic->drop.mode;
	const char *name = h->nic->info.name;
	int rc = programs_load(h);

	if (rc)
		return driver_fail_step(job->err, rc, name, "loading the programs of its host rings",
					"CAP_BPF");
	if (mode == INGRESS_NONE)
		mode = tc_mode_from_environment();
	if (mode == INGRESS_NONE || mode == INGRESS_AUTO) {
		rc = hooks_add(h, INGRESS_TCX);
		mode = INGRESS_CLSACT;
		if (rc == 0)
			return 0;
	}
	rc = hooks_add(h, mode);
	if (rc)
		return driver_fail_step(job->err, rc, name, "diverting what its stack sends (tc egress)",
					"CAP_NET_ADMIN");
	return 0;
}

/* ---- the far end ---- */

/* Runs in the far end's namespace. */
static int far_open(void *arg)
{
	struct host_job *job = arg;
	struct driver_port *port = job->port;
	const struct host_stack *h = port->host;
	struct netlink_link link;
	int rc;

	rc = netlink_open(&port->nl);
	if (rc)
		return driver_fail_step(job->err, rc, h->nic->info.name, "opening a netlink socket",
					"CAP_NET_ADMIN");
	rc = netlink_link_get(&port->nl, h->near, 0, &link);
	if (rc == 0)
		rc = end_up(&port->nl, link.ifindex);
	if (rc) {
		driver_fail_step(job->err, rc, h->nic->info.name, "setting up the pair for its host rings",
				 "CAP_NET_ADMIN");
		goto err_netlink;
	}
	port->info.ifindex = link.ifindex;
	port->info.flags = link.flags | IFF_UP;
	port->info.mtu = h->nic->info.mtu;
	memcpy(port->info.mac, link.mac, sizeof(port->info.mac));
	port->ops = &afpacket_ctl_ops;
	port->info.kind = DRIVER_AFPACKET;
	rc = port->ops->open(port, job->err);
	if (rc)
		goto err_netlink;
	return 0;

err_netlink:
	netlink_close(&port->nl);
	return rc;
}

/* ---- all of it ---- */

void host_stack_close(struct driver_port *port)
{
	struct host_stack *h = port->host;

	hooks_remove(h);
	pair_delete(h);
	bpf_object__close(h->programs);
	free(h);
	port->host = NULL;
}

static int host_open(struct host_job *job)
{
	struct driver_port *port = job->port;
	struct host_stack *h = port->host;
	const char *name = h->nic->info.name;
	int rc, entered;

	port->netns_fd = namespace_make();
	if (port->netns_fd < 0)
		return driver_fail_step(job->err, port->netns_fd, name,
					"making a network namespace for its host rings", "CAP_SYS_ADMIN");
	rc = pair_create(h, port->netns_fd);
	if (rc) {
		driver_fail_step(job->err, rc, name, "making a veth pair for its host rings", "CAP_NET_ADMIN");
		goto err_pair;
	}
	rc = netns_call(port->netns_fd, far_open, job, &entered);
	if (rc) {
		if (!entered)
			driver_fail_step(job->err, rc, name, "entering the namespace of its host rings",
					 "CAP_SYS_ADMIN");
		goto err_pair;
	}
	rc = end_up(&h->nic->nl, h->near_ifindex);
	if (rc) {
		driver_fail_step(job->err, rc, name, "setting up the pair for its host rings", "CAP_NET_ADMIN");
		goto err_far;
	}
	rc = h->nic->ops->mark_ignore ? h->nic->ops->mark_ignore(h->nic) : 0;
	if (rc) {
		driver_fail_step(job->err, rc, name, "keeping from it what its host rings send", "CAP_NET_RAW");
		goto err_far;
	}
	rc = netns_call(h->nic->netns_fd, hooks_open, job, &entered);
	if (rc) {
		if (!entered)
			driver_fail_step(job->err, rc, name, "entering its network namespace", "CAP_SYS_ADMIN");
		goto err_far;
	}
	return 0;

err_far:
	port->ops->close(port);
	netlink_close(&port->nl);
err_pair:
	pair_delete(h);
	close(port->netns_fd);
	return rc;
}

int driver_host_open(struct driver_port *nic, unsigned rings, struct driver_port **out,
		     struct driver_error *err)
{
	struct host_job job = { .err = err };
	struct host_stack *h;
	int rc;

	if (nic->info.kind == DRIVER_TAP)
		return driver_fail(err, -EOPNOTSUPP,
				   "%s: the device behind a TAP interface has no host rings: the port itself leads to the stack",
				   nic->info.name);
	job.port = calloc(1, sizeof(*job.port));
	h = calloc(1, sizeof(*h));
	if (!job.port || !h) {
		rc = driver_fail(err, -ENOMEM, "%s: no memory for its host rings' record", nic->info.name);
		goto err_free;
	}
	h->nic = nic;
	/* The mark keeps apart what several instances have at one interface. */
	snprintf(h->near, sizeof(h->near), "nmh%u-%04x", nic->info.ifindex % 1000000, nic->mark & 0xffff);
	job.port->host = h;
	job.port->params.queues = rings;
	job.port->params.no_promisc = true;
	snprintf(job.port->info.name, sizeof(job.port->info.name), "%s", h->near);
	rc = host_open(&job);
	if (rc)
		goto err_programs;
	*out = job.port;
	return 0;

err_programs:
	bpf_object__close(h->programs);
err_free:
	free(h);
	free(job.port);
	return rc;
}
