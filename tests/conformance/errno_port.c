/* SPDX-License-Identifier: BSD-2-Clause */
/* Errors of REGISTER, and of the requests about ports, switches and interfaces. */
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "errno_row.h"
#include "harness.h"
#include "port.h"

#include <netmap_params.h>

#define NO_REGION	65000

static void
exclusive_rows(const char *name)
{
	struct nmreq_register want = { .nr_mode = NR_REG_ONE_NIC, .nr_tx_rings = 2, .nr_rx_rings = 2, .nr_flags = NR_EXCLUSIVE };
	struct port p;

	port_open_as(&p, name, &want);
	ROW("a ring that another one has for itself", EBUSY, REG(name, .nr_mode = NR_REG_ONE_NIC));
	ROW("another ring of that port", 0, REG(name, .nr_mode = NR_REG_ONE_NIC, .nr_ringid = 1));
	port_close(&p);
	port_open(&p, name);
	ROW("NR_EXCLUSIVE on a ring that has users", EBUSY, REG(name, .nr_mode = NR_REG_ALL_NIC, .nr_flags = NR_EXCLUSIVE));
	ROW("a region for a port that is there: ignored", 0, REG(name, .nr_mode = NR_REG_ALL_NIC, .nr_mem_id = 1));
	port_close(&p);
}

static void
pipe_rows(const char *parent)
{
	char name[80];
	int err = 0, i, fd[70];

	snprintf(name, sizeof(name), "%s{", parent);
	ROW("a pipe without an id", EINVAL, REG(name, .nr_mode = NR_REG_ALL_NIC));
	ROW("a pipe without a parent's name", EINVAL, REG("{1", .nr_mode = NR_REG_ALL_NIC));
	snprintf(name, sizeof(name), "%s{1", parent);
	ROW("a pipe with host rings", EINVAL, REG(name, .nr_mode = NR_REG_NIC_SW));
	ROW("a pipe, NR_REG_ONE_NIC", 0, REG(name, .nr_mode = NR_REG_ONE_NIC));
	for (i = 0; i < 70 && err == 0; i++) {
		struct nmreq_register reg = { .nr_mode = NR_REG_ALL_NIC, .nr_tx_slots = 16, .nr_rx_slots = 16 };

		snprintf(name, sizeof(name), "%s{%d", parent, i);
		fd[i] = device_open();
		err = req(fd[i], NETMAP_REQ_REGISTER, name, &reg);
	}
	ROW_DIFFERS("more than 64 pipes of one parent", EINVAL, 0, "their number is not limited", err);
	while (i-- > 0)
		close(fd[i]);
}

void
errno_register(void)
{
	const char *a = vale("a"), *b = vale("b");
	struct nmreq_register reg = { .nr_mode = NR_REG_ALL_NIC };
	struct nmreq_port_hdr hdr = { .nr_hdr_len = 12 };
	int fd = device_open();
	struct port p;

	errno_section("REGISTER");
	check_eq(req(fd, NETMAP_REQ_REGISTER, a, &reg), 0);
	ROW("the descriptor is registered already", EBUSY, req(fd, NETMAP_REQ_REGISTER, a, &reg));
	close(fd);
	ROW("no region of that id", EINVAL, REG(a, .nr_mode = NR_REG_ALL_NIC, .nr_mem_id = NO_REGION));
	ROW("no interface of that name", ENXIO, REG("no-such-if", .nr_mode = NR_REG_ALL_NIC));
	ROW_DIFFERS("an interface whose name begins with \"val\"", ENOMEM, ENXIO, "it is an interface's name: there is none", REG("value0", .nr_mode = NR_REG_ALL_NIC));
	ROW("mode 0", EINVAL, REG(a, .nr_mode = NR_REG_DEFAULT));
	ROW("an unknown mode", EINVAL, REG(a, .nr_mode = 99));
	ROW("NR_REG_PIPE_MASTER", EINVAL, REG(a, .nr_mode = NR_REG_PIPE_MASTER));
	ROW("NR_REG_PIPE_SLAVE", EINVAL, REG(a, .nr_mode = NR_REG_PIPE_SLAVE));
	ROW("a ring that is in neither direction", EINVAL, REG(a, .nr_mode = NR_REG_ONE_NIC, .nr_ringid = 1));
	port_open_as(&p, b, &(struct nmreq_register){ .nr_tx_rings = 1, .nr_rx_rings = 4 });
	ROW("a ring that is in one direction only", 0, REG(b, .nr_mode = NR_REG_ONE_NIC, .nr_ringid = 3));
	ROW("  the one behind it", EINVAL, REG(b, .nr_mode = NR_REG_ONE_NIC, .nr_ringid = 4));
	check_eq(req(-1, NETMAP_REQ_PORT_HDR_SET, b, &hdr), 0);
	ROW("a port with virtio-net headers, without NR_ACCEPT_VNET_HDR", EIO, REG(b, .nr_mode = NR_REG_ALL_NIC));
	ROW("  with it", 0, REG(b, .nr_mode = NR_REG_ALL_NIC, .nr_flags = NR_ACCEPT_VNET_HDR));
	port_close(&p);
	ROW("NR_REG_SW without host rings", EINVAL, REG(a, .nr_mode = NR_REG_SW));
	ROW("NR_REG_NIC_SW without host rings", EINVAL, REG(a, .nr_mode = NR_REG_NIC_SW));
	ROW("NR_REG_ONE_SW without host rings", EINVAL, REG(a, .nr_mode = NR_REG_ONE_SW));
	exclusive_rows(vale("x"));
	pipe_rows(vale("p"));
	ROW("a monitor of a port that nobody has open", EINVAL, REG(vale("m"), .nr_mode = NR_REG_ALL_NIC, .nr_flags = NR_MONITOR_RX));
	ROW("a null port without a region", EINVAL, REG("null", .nr_mode = NR_REG_NULL));
	ROW("a switch's name and that of an interface that is not attached", EINVAL, REG("vale0:lo", .nr_mode = NR_REG_ALL_NIC));
	ROW("a switch's name that is too long", ENOMEM, REG("valeABCDEFGHIJKLMNOP:x", .nr_mode = NR_REG_ALL_NIC));
	ROW_DIFFERS("a switch's name with other characters", ENOMEM, ENXIO, "it is no switch's name, and no interface has it", REG("vale-a:b", .nr_mode = NR_REG_ALL_NIC));
	ROW("a port of a switch without a name", EINVAL, REG("vale0:", .nr_mode = NR_REG_ALL_NIC));
	ROW("flags that nobody knows", 0, REG(a, .nr_mode = NR_REG_ALL_NIC, .nr_flags = 0x1000));
	errno_left_out("no memory for rings, buffers, netmap_if: ENOMEM", "engine-no_memory");
	errno_end();
}

static void
info_rows(const char *a)
{
	struct nmreq_port_info_get info = { 0 };
	struct nmreq_pools_info pools = { 0 };
	struct port p;

	errno_section("PORT_INFO_GET, POOLS_INFO_GET");
	ROW("of a port that is not there, made for the moment", 0, req(-1, NETMAP_REQ_PORT_INFO_GET, a, &info));
	info = (struct nmreq_port_info_get){ 0 };
	ROW("of a name that is nothing", ENXIO, req(-1, NETMAP_REQ_PORT_INFO_GET, "no-such-port", &info));
	port_open(&p, a);
	info = (struct nmreq_port_info_get){ .nr_mem_id = p.reg.nr_mem_id };
	ROW("without a name, of a region", 0, req(-1, NETMAP_REQ_PORT_INFO_GET, "", &info));
	info = (struct nmreq_port_info_get){ .nr_mem_id = NO_REGION };
	ROW("without a name, no region of that id", EINVAL, req(-1, NETMAP_REQ_PORT_INFO_GET, "", &info));
	ROW("POOLS_INFO_GET without a name", ENXIO, req(-1, NETMAP_REQ_POOLS_INFO_GET, "", &pools));
	ROW("POOLS_INFO_GET of a port", 0, req(-1, NETMAP_REQ_POOLS_INFO_GET, a, &pools));
	port_close(&p);
}

static void
attach_rows(const char *a)
{
	struct nmreq_vale_attach attach = { .reg = { .nr_mode = NR_REG_ALL_NIC } };
	struct nmreq_vale_polling polling = { .nr_mode = NETMAP_POLLING_MODE_SINGLE_CPU, .nr_num_polling_cpus = 1 };
	struct nmreq_vale_detach detach = { 0 };
	char absent[64];
	struct port p;

	snprintf(absent, sizeof(absent), "%.40s:no-interface", "vale0");
	port_open(&p, a);
	errno_section("VALE_ATTACH, VALE_DETACH");
	ROW("no switch in the name", EINVAL, req(-1, NETMAP_REQ_VALE_ATTACH, "lo", &attach));
	ROW("no such interface", EINVAL, req(-1, NETMAP_REQ_VALE_ATTACH, absent, &attach));
	ROW("it is there already", EBUSY, req(-1, NETMAP_REQ_VALE_ATTACH, a, &attach));
	ROW("detach: no switch in the name", EINVAL, req(-1, NETMAP_REQ_VALE_DETACH, "lo", &detach));
	ROW("detach: not there", ENXIO, req(-1, NETMAP_REQ_VALE_DETACH, absent, &detach));
	ROW("detach: a port that programs have open", EBUSY, req(-1, NETMAP_REQ_VALE_DETACH, a, &detach));
	errno_section("VALE_POLLING_ENABLE, _DISABLE");
	ROW("no switch in the name", EINVAL, req(-1, NETMAP_REQ_VALE_POLLING_ENABLE, "lo", &polling));
	ROW("not there", ENXIO, req(-1, NETMAP_REQ_VALE_POLLING_ENABLE, absent, &polling));
	ROW("not an attached interface", EOPNOTSUPP, req(-1, NETMAP_REQ_VALE_POLLING_ENABLE, a, &polling));
	port_close(&p);
}

static void
list_rows(const char *a)
{
	struct nmreq_vale_list list = { 0 };
	struct nmreq_port_hdr hdr = { .nr_hdr_len = 12 };
	char name[80], pipe[80];
	struct port p, end;

	port_open(&p, a);
	snprintf(name, sizeof(name), "%s_none", a);
	errno_section("VALE_LIST, PORT_HDR_SET, _GET");
	ROW("VALE_LIST of what is no switch's name", EINVAL, req(-1, NETMAP_REQ_VALE_LIST, "eth0", &list));
	ROW("VALE_LIST of a switch that is not there", ENOENT, req(-1, NETMAP_REQ_VALE_LIST, "vale_none:x", &list));
	ROW("VALE_LIST of a port that is not there", 0, req(-1, NETMAP_REQ_VALE_LIST, name, &list));
	VALUE("  its index", 255, (int)list.nr_port_idx);
	list = (struct nmreq_vale_list){ .nr_bridge_idx = 60000 };
	ROW("VALE_LIST behind the last", ENOENT, req(-1, NETMAP_REQ_VALE_LIST, "", &list));
	ROW("PORT_HDR_SET on a port that is not there", ENXIO, req(-1, NETMAP_REQ_PORT_HDR_SET, name, &hdr));
	ROW("PORT_HDR_GET of a port that is not there", ENXIO, req(-1, NETMAP_REQ_PORT_HDR_GET, name, &hdr));
	hdr.nr_hdr_len = 11;
	ROW("PORT_HDR_SET, a length that is none of 0, 10, 12", EINVAL, req(-1, NETMAP_REQ_PORT_HDR_SET, a, &hdr));
	snprintf(pipe, sizeof(pipe), "%s{1", a);
	port_open(&end, pipe);
	ROW("PORT_HDR_GET of a pipe", ENODEV, req(-1, NETMAP_REQ_PORT_HDR_GET, pipe, &hdr));
	port_close(&end);
	port_close(&p);
}

static void
persistent_rows(void)
{
	struct nmreq_vale_newif newif = { .nr_tx_slots = 64 };
	struct nmreq_vale_attach attach = { .reg = { .nr_mode = NR_REG_ALL_NIC } };
	struct nmreq_vale_detach detach = { 0 };
	char name[16], one[64], two[64];
	struct port p;

	snprintf(name, sizeof(name), "vi%d", (int)getpid());
	snprintf(one, sizeof(one), "vale%d_1:%s", (int)getpid() % 100000, name);
	snprintf(two, sizeof(two), "vale%d_2:%s", (int)getpid() % 100000, name);
	errno_section("VALE_NEWIF, VALE_DELIF");
	ROW("NEWIF, a name that begins with \"vale\"", EINVAL, req(-1, NETMAP_REQ_VALE_NEWIF, "valex", &newif));
	ROW("NEWIF, a name of 16 characters", EINVAL, req(-1, NETMAP_REQ_VALE_NEWIF, "sixteen_letters_", &newif));
	ROW("NEWIF, there is an interface of that name", EEXIST, req(-1, NETMAP_REQ_VALE_NEWIF, "lo", &newif));
	newif.nr_mem_id = NO_REGION;
	ROW("NEWIF, no region of that id", EINVAL, req(-1, NETMAP_REQ_VALE_NEWIF, name, &newif));
	newif.nr_mem_id = 0;
	ROW("NEWIF", 0, req(-1, NETMAP_REQ_VALE_NEWIF, name, &newif));
	ROW("NEWIF again", EEXIST, req(-1, NETMAP_REQ_VALE_NEWIF, name, &newif));
	ROW("DELIF of what is not there", ENXIO, req(-1, NETMAP_REQ_VALE_DELIF, "no_such", NULL));
	ROW("DELIF of a network interface", EINVAL, req(-1, NETMAP_REQ_VALE_DELIF, "lo", NULL));
	port_open(&p, name);
	ROW("DELIF while it is open", EBUSY, req(-1, NETMAP_REQ_VALE_DELIF, name, NULL));
	ROW("VALE_ATTACH while programs have it open", EBUSY, req(-1, NETMAP_REQ_VALE_ATTACH, one, &attach));
	port_close(&p);
	ROW("its name on a switch that it is not on", EINVAL, REG(one, .nr_mode = NR_REG_ALL_NIC));
	ROW("VALE_ATTACH", 0, req(-1, NETMAP_REQ_VALE_ATTACH, one, &attach));
	ROW("VALE_ATTACH to a second switch", 0, req(-1, NETMAP_REQ_VALE_ATTACH, two, &attach));
	ROW("REGISTER of it then: in the kernel's use", EBUSY, REG(name, .nr_mode = NR_REG_ALL_NIC));
	ROW("VALE_DETACH of the first before the second", EBUSY, req(-1, NETMAP_REQ_VALE_DETACH, one, &detach));
	ROW("VALE_DETACH of the second", 0, req(-1, NETMAP_REQ_VALE_DETACH, two, &detach));
	ROW("DELIF while it is attached", EBUSY, req(-1, NETMAP_REQ_VALE_DELIF, name, NULL));
	ROW("VALE_DETACH of the first", 0, req(-1, NETMAP_REQ_VALE_DETACH, one, &detach));
	ROW("DELIF", 0, req(-1, NETMAP_REQ_VALE_DELIF, name, NULL));
	snprintf(one, sizeof(one), "%s{1", name);
	port_open(&p, one);
	ROW("DELIF of a pipe's parent that was made by itself", EINVAL, req(-1, NETMAP_REQ_VALE_DELIF, name, NULL));
	port_close(&p);
}

void
errno_requests(void)
{
	info_rows(vale("a"));
	attach_rows(vale("a"));
	list_rows(vale("a"));
	persistent_rows();
	errno_end();
}

/* --- with interfaces --- */

static void
attached_rows(void)
{
	struct nmreq_vale_attach attach = { .reg = { .nr_mode = NR_REG_ALL_NIC } };
	struct nmreq_vale_polling polling = { .nr_mode = NETMAP_POLLING_MODE_SINGLE_CPU, .nr_num_polling_cpus = 1 };
	struct nmreq_vale_detach detach = { 0 };
	struct port p;

	errno_section("interfaces on switches");
	port_open(&p, "nmerr0");
	ROW("VALE_ATTACH while programs have it open", EBUSY, req(-1, NETMAP_REQ_VALE_ATTACH, "vale9:nmerr0", &attach));
	port_close(&p);
	attach.reg.nr_mode = NR_REG_ONE_NIC;
	ROW("VALE_ATTACH, another mode", EINVAL, req(-1, NETMAP_REQ_VALE_ATTACH, "vale9:nmerr0", &attach));
	attach.reg.nr_mode = NR_REG_ALL_NIC;
	attach.reg.nr_ringid = 1;
	ROW("VALE_ATTACH, a ring id", EINVAL, req(-1, NETMAP_REQ_VALE_ATTACH, "vale9:nmerr0", &attach));
	attach.reg.nr_ringid = 0;
	attach.reg.nr_mem_id = NO_REGION;
	ROW("VALE_ATTACH, no region of that id", EINVAL, req(-1, NETMAP_REQ_VALE_ATTACH, "vale9:nmerr0", &attach));
	attach.reg.nr_mem_id = 0;
	ROW("VALE_ATTACH", 0, req(-1, NETMAP_REQ_VALE_ATTACH, "vale9:nmerr0", &attach));
	ROW("VALE_ATTACH again", EBUSY, req(-1, NETMAP_REQ_VALE_ATTACH, "vale9:nmerr0", &attach));
	ROW("REGISTER of the interface", EBUSY, REG("nmerr0", .nr_mode = NR_REG_ALL_NIC));
	ROW("REGISTER of a pipe of it", EBUSY, REG("nmerr0{1", .nr_mode = NR_REG_ALL_NIC));
	ROW("polling: disable, and nobody polls", EFAULT, req(-1, NETMAP_REQ_VALE_POLLING_DISABLE, "vale9:nmerr0", &polling));
	polling.nr_num_polling_cpus = 0;
	ROW("polling: no CPU", EINVAL, req(-1, NETMAP_REQ_VALE_POLLING_ENABLE, "vale9:nmerr0", &polling));
	polling.nr_num_polling_cpus = 10000;
	ROW("polling: all CPUs", EINVAL, req(-1, NETMAP_REQ_VALE_POLLING_ENABLE, "vale9:nmerr0", &polling));
	polling.nr_num_polling_cpus = 1;
	polling.nr_mode = 7;
	ROW("polling: another mode", EINVAL, req(-1, NETMAP_REQ_VALE_POLLING_ENABLE, "vale9:nmerr0", &polling));
	polling.nr_mode = NETMAP_POLLING_MODE_SINGLE_CPU;
	if (sysconf(_SC_NPROCESSORS_ONLN) > 1) {
		ROW("polling", 0, req(-1, NETMAP_REQ_VALE_POLLING_ENABLE, "vale9:nmerr0", &polling));
		ROW("polling again", EFAULT, req(-1, NETMAP_REQ_VALE_POLLING_ENABLE, "vale9:nmerr0", &polling));
		ROW("VALE_DETACH while it is polled", EBUSY, req(-1, NETMAP_REQ_VALE_DETACH, "vale9:nmerr0", &detach));
		ROW("polling: disable", 0, req(-1, NETMAP_REQ_VALE_POLLING_DISABLE, "vale9:nmerr0", &polling));
	} else {
		errno_left_out("polling", "one CPU cannot be given away");
	}
	ROW("VALE_DETACH", 0, req(-1, NETMAP_REQ_VALE_DETACH, "vale9:nmerr0", &detach));
}

void
errno_interfaces(void)
{
	struct port p;

	errno_section("interfaces");
	if (geteuid() != 0 || unshare(CLONE_NEWNET) != 0)
		skip("needs root, to make a network namespace");
	if (system("ip link set lo up && ip link add nmerr0 type veth peer name nmerr1 && ip link set nmerr0 up && ip link set nmerr1 up && "
	    "ip link add nmerr2 type veth peer name nmerr3 && ip link set nmerr2 mtu 9000 && ip link set nmerr2 up") != 0)
		skip("no veth pair can be made");
	ROW_DIFFERS("an MTU above a buffer", EINVAL, 0, "frames come in several slots", REG("nmerr2", .nr_mode = NR_REG_ALL_NIC));
	ROW_DIFFERS("lo, whose MTU is 65536", EINVAL, 0, "frames come in several slots", REG("lo", .nr_mode = NR_REG_ALL_NIC));
	ROW_DIFFERS("an interface that is down", 0, ENETDOWN, "who opens it learns it at once", REG("nmerr3", .nr_mode = NR_REG_ALL_NIC));
	ROW("NR_REG_ONE_SW, no such host ring", EINVAL, REG("nmerr0", .nr_mode = NR_REG_ONE_SW, .nr_ringid = 1));
	ROW("NR_REG_ONE_NIC, no such ring", EINVAL, REG("nmerr0", .nr_mode = NR_REG_ONE_NIC, .nr_ringid = 1));
	port_open(&p, "nmerr0");
	check_eq(netmap_param_set("admode", 1), 0);
	ROW("admode 1, no native support", EOPNOTSUPP, REG("lo", .nr_mode = NR_REG_ALL_NIC));
	check_eq(netmap_param_set("admode", 0), 0);
	port_close(&p);
	attached_rows();
	errno_end();
}
