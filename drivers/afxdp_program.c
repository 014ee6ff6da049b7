/* SPDX-License-Identifier: BSD-2-Clause */
/* AF_XDP, control side: the XDP program, bpf/xdp_redirect.bpf.c. Nobody else's program is ever replaced. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "afxdp.h"
#include "bpf/host_tc.h"
#include "bpf_objects.h"
#include "error.h"

#define CAPABILITIES	"CAP_BPF and CAP_NET_ADMIN, or CAP_SYS_ADMIN,"

/* Whose program is in the way? */
static int occupied_fail(struct driver_error *err, const char *ifname, uint32_t id)
{
	struct bpf_prog_info info;
	uint32_t len = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(id);

	memset(&info, 0, sizeof(info));
	if (fd >= 0) {
		if (bpf_obj_get_info_by_fd(fd, &info, &len) < 0)
			info.name[0] = '\0';
		close(fd);
	}
	return driver_fail(err, -EBUSY,
			   "%s: another XDP program is attached, \"%s\" (id %u); stop what attached it, or "
			   "ip link set dev %s xdp off", ifname, info.name[0] ? info.name : "?", id, ifname);
}

/* frags: declare that the program takes frames in several pieces. Linux 5.18. */
static struct bpf_object *object_load(const char *name, bool frags, const struct host_label *label, int *code)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = "netmap");
	struct bpf_object *object = bpf_object__open_mem(bpf_xdp_redirect, bpf_xdp_redirect_size, &opts);
	struct bpf_program *prog;
	struct bpf_map *map;

	if (!object) {
		*code = -errno;
		return NULL;
	}
	map = bpf_object__find_map_by_name(object, ".rodata.label");
	if (map)
		bpf_map__set_initial_value(map, label, sizeof(*label));
	bpf_object__for_each_program(prog, object) {
		bpf_program__set_autoload(prog, strcmp(bpf_program__name(prog), name) == 0);
		bpf_program__set_flags(prog, frags ? BPF_F_XDP_HAS_FRAGS : 0);
	}
	*code = bpf_object__load(object);
	if (*code == 0)
		return object;
	bpf_object__close(object);
	return NULL;
}

static int program_load(struct afxdp_program *p, const struct driver_port *port, const char *name, bool veth,
			struct driver_error *err)
{
	const struct host_label label = host_label_make(port->mark);
	const char *ifname = port->info.name;
	const char *wish = getenv("NETMAP_XSK_VETH");
	int rc = -EINVAL;

	libbpf_set_print(NULL);
	if (!veth || !wish || strcmp(wish, "no") != 0)
		p->object = object_load(name, true, &label, &rc);
	if (!p->object && !veth && rc != -EPERM)
		p->object = object_load(name, false, &label, &rc);
	if (p->object)
		return 0;
	if (veth && rc != -EPERM && rc != -ENOMEM)
		return driver_fail(err, -EOPNOTSUPP,
				   "%s: with this kernel, VLAN tags and unfinished checksums of a veth's far end would "
				   "be lost (Linux 6.3 shows them to XDP programs)", ifname);
	return driver_fail_step(err, rc, ifname, "loading the XDP program", CAPABILITIES);
}

int afxdp_program_attach(struct afxdp_program *p, struct driver_port *port, const struct netlink_link *link,
			 bool generic, struct driver_error *err)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = generic ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE);
	bool veth = !generic && strcmp(link->kind, "veth") == 0;
	const char *ifname = port->info.name, *name = veth ? "redirect_veth" : generic ? "redirect_generic" : "redirect";
	struct netlink_link now;
	int rc;

	*p = (struct afxdp_program){ .link_fd = -1, .map_fd = -1 };
	rc = program_load(p, port, name, veth, err);
	if (rc)
		return rc;
	p->map_fd = bpf_object__find_map_fd_by_name(p->object, "xsks");
	p->link_fd = bpf_link_create(bpf_program__fd(bpf_object__find_program_by_name(p->object, name)),
				     (int)port->info.ifindex, BPF_XDP, &opts);
	if (p->link_fd >= 0)
		return 0;
	rc = p->link_fd;
	afxdp_program_detach(p);
	if (netlink_link_get(&port->nl, NULL, port->info.ifindex, &now) == 0) {
		uint32_t id = now.xdp_native_id ? now.xdp_native_id : now.xdp_generic_id;

		if (id || now.xdp_hardware_id)
			return occupied_fail(err, ifname, id ? id : now.xdp_hardware_id);
	}
	if (rc == -EOPNOTSUPP)
		return driver_fail(err, rc, "%s: its driver has no XDP", ifname);
	if (rc == -ERANGE)
		return driver_fail(err, rc, "%s: its MTU of %u is too large for XDP in its driver", ifname,
				   port->info.mtu);
	return driver_fail_step(err, rc, ifname, "attaching the XDP program", CAPABILITIES);
}

int afxdp_program_set(const struct afxdp_program *p, uint32_t queue, int xsk_fd)
{
	return bpf_map_update_elem(p->map_fd, &queue, &xsk_fd, BPF_ANY) < 0 ? -errno : 0;
}

void afxdp_program_detach(struct afxdp_program *p)
{
	if (p->link_fd >= 0)
		close(p->link_fd);
	bpf_object__close(p->object);
	*p = (struct afxdp_program){ .link_fd = -1, .map_fd = -1 };
}
