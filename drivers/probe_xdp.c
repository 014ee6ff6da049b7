/* SPDX-License-Identifier: BSD-2-Clause */
/* What an interface can do with XDP, see probe.h: the kernel is asked, and before Linux 6.3 a table. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <linux/bpf.h>
#include <linux/genetlink.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "genetlink.h"
#include "probe.h"

/* The netdev family, newer than the oldest headers that this is built with. */
#define NETDEV_FAMILY		"netdev"
#define NETDEV_VERSION		1
#define NETDEV_DEV_GET		1
#define NETDEV_DEV_IFINDEX	1
#define NETDEV_DEV_XDP_FEATURES	3
#define XDP_FEATURE_BASIC	(1u << 0)
#define XDP_FEATURE_REDIRECT	(1u << 1)
#define XDP_FEATURE_ZEROCOPY	(1u << 3)
#define XDP_FEATURE_FRAGMENTS	(1u << 5)

#define REQUEST_MAX	1024

/*
 * The first kernels whose driver has XDP, and AF_XDP without copies (0: none). From the table of drivers in
 * the eBPF documentation, https://docs.ebpf.io/linux/program-type/BPF_PROG_TYPE_XDP/#driver-support, which
 * cites the commit for each (mlx5 db05815b36cb, ixgbe d0bcacd0a130, i40e 0a714186d3c0, ice 2d4238f55697,
 * stmmac bba2556efad6, igc fc9df2a0b520, nfp 6402528b7a0b, dpaa2 48276c08cf5d, tsnep 3fc2333933fd, gve
 * fd8e40321a12, virtio_net d944c27a9d58, igb 80f6ccf9f116). None of the zero-copy drivers has been tried with
 * netmap.
 */
static const struct {
	const char *driver;
	uint32_t native, zerocopy;
} drivers[] = {
	{ "mlx4_en", PROBE_KERNEL(4, 8), 0 },
	{ "mlx5_core", PROBE_KERNEL(4, 9), PROBE_KERNEL(5, 3) },
	{ "qede", PROBE_KERNEL(4, 10), 0 },
	{ "nfp", PROBE_KERNEL(4, 10), PROBE_KERNEL(5, 18) },
	{ "virtio_net", PROBE_KERNEL(4, 10), PROBE_KERNEL(6, 11) },
	{ "bnxt_en", PROBE_KERNEL(4, 11), 0 },
	{ "ixgbe", PROBE_KERNEL(4, 12), PROBE_KERNEL(4, 20) },
	{ "i40e", PROBE_KERNEL(4, 13), PROBE_KERNEL(4, 20) },
	{ "tun", PROBE_KERNEL(4, 14), 0 },
	{ "ixgbevf", PROBE_KERNEL(4, 17), 0 },
	{ "veth", PROBE_KERNEL(4, 19), 0 },
	{ "fsl_dpaa2_eth", PROBE_KERNEL(5, 0), PROBE_KERNEL(6, 2) },
	{ "netsec", PROBE_KERNEL(5, 3), 0 },
	{ "cpsw", PROBE_KERNEL(5, 3), 0 },
	{ "sfc", PROBE_KERNEL(5, 5), 0 },
	{ "ice", PROBE_KERNEL(5, 5), PROBE_KERNEL(5, 5) },
	{ "mvneta", PROBE_KERNEL(5, 5), 0 },
	{ "ena", PROBE_KERNEL(5, 6), 0 },
	{ "hv_netvsc", PROBE_KERNEL(5, 6), 0 },
	{ "mvpp2", PROBE_KERNEL(5, 9), 0 },
	{ "vif", PROBE_KERNEL(5, 9), 0 },
	{ "igb", PROBE_KERNEL(5, 10), PROBE_KERNEL(6, 14) },
	{ "fsl_dpa", PROBE_KERNEL(5, 11), 0 },
	{ "igc", PROBE_KERNEL(5, 13), PROBE_KERNEL(5, 14) },
	{ "st_gmac", PROBE_KERNEL(5, 13), PROBE_KERNEL(5, 13) },
	{ "fsl_enetc", PROBE_KERNEL(5, 13), 0 },
	{ "bonding", PROBE_KERNEL(5, 15), 0 },
	{ "rvu-nicpf", PROBE_KERNEL(5, 16), 0 },
	{ "mana", PROBE_KERNEL(5, 17), 0 },
	{ "funeth", PROBE_KERNEL(5, 18), 0 },
	{ "atlantic", PROBE_KERNEL(5, 19), 0 },
	{ "mtk_soc_eth", PROBE_KERNEL(6, 0), 0 },
	{ "fec", PROBE_KERNEL(6, 2), 0 },
	{ "lan966x-switch", PROBE_KERNEL(6, 2), 0 },
	{ "tsnep", PROBE_KERNEL(6, 3), PROBE_KERNEL(6, 4) },
	{ "gve", PROBE_KERNEL(6, 4), PROBE_KERNEL(6, 4) },
	{ "vmxnet3", PROBE_KERNEL(6, 6), 0 },
	{ "ionic", PROBE_KERNEL(6, 9), 0 },
};

static enum probe_answer since(uint32_t first, uint32_t kernel)
{
	return first && kernel >= first ? PROBE_YES : PROBE_NO;
}

void probe_xdp_by_table(const char *driver, uint32_t kernel, struct probe_xdp *x)
{
	for (unsigned i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++) {
		if (strcmp(drivers[i].driver, driver) != 0)
			continue;
		x->source = PROBE_FROM_TABLE;
		x->native = since(drivers[i].native, kernel);
		x->zerocopy = since(drivers[i].zerocopy, kernel);
		return;
	}
	x->source = PROBE_FROM_NOTHING;
	x->native = x->zerocopy = PROBE_UNKNOWN;
}

/* --- the kernel's own answer --- */

static int features_cb(const struct nlmsghdr *nlh, void *arg)
{
	const struct nlattr *attr;

	mnl_attr_for_each(attr, nlh, sizeof(struct genlmsghdr))
		if (mnl_attr_get_type(attr) == NETDEV_DEV_XDP_FEATURES &&
		    mnl_attr_validate(attr, MNL_TYPE_U64) == 0)
			*(uint64_t *)arg = mnl_attr_get_u64(attr);
	return MNL_CB_OK;
}

static int features_ask(uint32_t ifindex, uint64_t *features)
{
	struct genetlink_family family;
	char buf[REQUEST_MAX];
	struct nlmsghdr *nlh;
	struct netlink nl;
	int err = netlink_open_protocol(&nl, NETLINK_GENERIC);

	if (err)
		return err;
	*features = 0;
	err = genetlink_family_get(&nl, NETDEV_FAMILY, NULL, &family);
	if (err == 0) {
		nlh = genetlink_request(buf, &family, NETDEV_DEV_GET, NETDEV_VERSION, NLM_F_ACK);
		mnl_attr_put_u32(nlh, NETDEV_DEV_IFINDEX, ifindex);
		err = netlink_run(&nl, nlh, features_cb, features);
	}
	netlink_close(&nl);
	return err;
}

static enum probe_answer answer(bool yes)
{
	return yes ? PROBE_YES : PROBE_NO;
}

/* --- the program that is attached --- */

static int bpf_call(int cmd, union bpf_attr *attr)
{
	long rc = syscall(SYS_bpf, cmd, attr, sizeof(*attr));

	return rc < 0 ? -errno : (int)rc;
}

static void program_name(uint32_t id, char *name, size_t size)
{
	struct bpf_prog_info info = { .id = 0 };
	union bpf_attr attr;
	int fd;

	memset(&attr, 0, sizeof(attr));
	attr.prog_id = id;
	fd = bpf_call(BPF_PROG_GET_FD_BY_ID, &attr);
	if (fd < 0)
		return;
	memset(&attr, 0, sizeof(attr));
	attr.info.bpf_fd = (uint32_t)fd;
	attr.info.info_len = sizeof(info);
	attr.info.info = (uintptr_t)&info;
	if (bpf_call(BPF_OBJ_GET_INFO_BY_FD, &attr) == 0)
		snprintf(name, size, "%.*s", (int)sizeof(info.name), info.name);
	close(fd);
}

void probe_xdp(struct probe *p)
{
	const struct netlink_link *link = &p->link;
	struct probe_xdp *x = &p->xdp;
	int fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	uint64_t features;

	/* A kernel that has the family says so before it asks for a capability. */
	x->sockets = fd >= 0 || errno != EAFNOSUPPORT;
	if (fd >= 0)
		close(fd);
	if (features_ask(link->ifindex, &features) == 0) {
		x->source = PROBE_FROM_KERNEL;
		x->native = answer((features & XDP_FEATURE_BASIC) && (features & XDP_FEATURE_REDIRECT));
		x->zerocopy = answer(features & XDP_FEATURE_ZEROCOPY);
		x->fragments = answer(features & XDP_FEATURE_FRAGMENTS);
	} else {
		probe_xdp_by_table(p->has_identity ? p->identity.driver : link->kind, p->kernel, x);
	}
	x->program_id = link->xdp_native_id ? link->xdp_native_id :
			link->xdp_generic_id ? link->xdp_generic_id : link->xdp_hardware_id;
	if (x->program_id)
		program_name(x->program_id, x->program, sizeof(x->program));
}
