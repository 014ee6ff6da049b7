/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Port names: the class of each, its parts, and for bad ones the error and the text that says where.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "engine/abi_types.h"
#include "engine/port_name.h"
#include <net/netmap.h>

/* A name in a field of the size that requests have. */
static const char *
field(const char *name)
{
	static char buf[NETMAP_REQ_IFNAMSIZ];

	memset(buf, 0, sizeof(buf));
	memcpy(buf, name, strlen(name) < sizeof(buf) ? strlen(name) : sizeof(buf));
	return buf;
}

static void
assert_part(const char *name, size_t off, size_t len, const char *want)
{
	assert_int_equal(len, strlen(want));
	assert_memory_equal(name + off, want, len);
}

static void
test_good(void **state)
{
	static const struct {
		const char *name;
		uint8_t class, pipe;
		const char *base, *sw, *port, *id;
	} rows[] = {
		{ "eth0", PORT_NAME_IFACE, 0, "eth0", "", "", "" },
		{ "eth0.5", PORT_NAME_IFACE, 0, "eth0.5", "", "", "" },
		{ "enp-s0@x", PORT_NAME_IFACE, 0, "enp-s0@x", "", "", "" },
		{ "...", PORT_NAME_IFACE, 0, "...", "", "", "" },
		{ "tap:x0", PORT_NAME_IFACE, 0, "tap:x0", "", "", "" },
		{ "tap:a{1", PORT_NAME_IFACE, PORT_NAME_MASTER, "tap:a", "", "", "1" },
		{ "tap0", PORT_NAME_IFACE, 0, "tap0", "", "", "" },
		/* near VALE, but not VALE */
		{ "vale0", PORT_NAME_IFACE, 0, "vale0", "", "", "" },
		{ "vale", PORT_NAME_IFACE, 0, "vale", "", "", "" },
		{ "value0", PORT_NAME_IFACE, 0, "value0", "", "", "" },
		{ "val", PORT_NAME_IFACE, 0, "val", "", "", "" },
		{ "Vale0", PORT_NAME_IFACE, 0, "Vale0", "", "", "" },
		{ "vale:a", PORT_NAME_VALE, 0, "vale:a", "vale", "a", "" },
		{ "vale0:a", PORT_NAME_VALE, 0, "vale0:a", "vale0", "a", "" },
		{ "valeA_9:p_1", PORT_NAME_VALE, 0, "valeA_9:p_1", "valeA_9", "p_1", "" },
		{ "vale0:eth0.5", PORT_NAME_VALE, 0, "vale0:eth0.5", "vale0", "eth0.5", "" },
		{ "vale0:eth0^", PORT_NAME_VALE, 0, "vale0:eth0^", "vale0", "eth0^", "" },
		{ "vale45678901234:123456789012345", PORT_NAME_VALE, 0, "vale45678901234:123456789012345",
		    "vale45678901234", "123456789012345", "" },
		/* pipes: the last { splits, else the last } */
		{ "p{1", PORT_NAME_IFACE, PORT_NAME_MASTER, "p", "", "", "1" },
		{ "p}1", PORT_NAME_IFACE, PORT_NAME_SLAVE, "p", "", "", "1" },
		{ "pipe{in", PORT_NAME_IFACE, PORT_NAME_MASTER, "pipe", "", "", "in" },
		{ "p{a}b", PORT_NAME_IFACE, PORT_NAME_MASTER, "p", "", "", "a}b" },
		{ "p{ /:", PORT_NAME_IFACE, PORT_NAME_MASTER, "p", "", "", " /:" },
		{ "vale0:x{1", PORT_NAME_VALE, PORT_NAME_MASTER, "vale0:x", "vale0", "x", "1" },
		{ "vale0:x}yz", PORT_NAME_VALE, PORT_NAME_SLAVE, "vale0:x", "vale0", "x", "yz" },
		{ "vale{0:a", PORT_NAME_IFACE, PORT_NAME_MASTER, "vale", "", "", "0:a" },
	};

	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *name = field(rows[i].name);
		struct port_name pn;
		char why[PORT_NAME_EXPLAIN_SIZE];

		assert_int_equal(port_name_parse(&pn, name, NR_REG_ALL_NIC, 0, i & 1), 0);
		assert_int_equal(pn.class, rows[i].class);
		assert_int_equal(pn.pipe, rows[i].pipe);
		assert_false(pn.monitor);
		assert_int_equal(pn.len, strlen(rows[i].name));
		assert_part(name, 0, pn.base_len, rows[i].base);
		assert_part(name, 0, pn.switch_len, rows[i].sw);
		assert_part(name, pn.port_off, pn.port_len, rows[i].port);
		assert_part(name, pn.id_off, pn.id_len, rows[i].id);
		assert_null(pn.reason);
		port_name_explain(&pn, name, why, sizeof(why));
		assert_string_equal(why, "");
	}
}

static void
test_bad(void **state)
{
	static const struct {
		const char *name;
		int create, lookup;
		const char *why;
	} rows[] = {
		{ "vale0:", -EINVAL, -ENXIO, "port name 'vale0:': empty port part at character 7" },
		{ "vale:", -EINVAL, -ENXIO, "port name 'vale:': empty port part at character 6" },
		{ "vale0:1234567890123456", -EINVAL, -ENXIO,
		    "port name 'vale0:1234567890123456': port part of more than 15 characters at character 22" },
		{ "vale0:a b", -EINVAL, -ENXIO,
		    "port name 'vale0:a b': character that a port name cannot have at character 8" },
		{ "vale0:a:b", -EINVAL, -ENXIO,
		    "port name 'vale0:a:b': character that a port name cannot have at character 8" },
		{ "vale0:a/b", -EINVAL, -ENXIO,
		    "port name 'vale0:a/b': character that a port name cannot have at character 8" },
		{ "vale456789012345:a", -ENOMEM, -ENXIO,
		    "port name 'vale456789012345:a': switch name of more than 15 characters at character 16" },
		{ "vale456789012345:", -ENOMEM, -ENXIO,
		    "port name 'vale456789012345:': switch name of more than 15 characters at character 16" },
		{ "", -ENXIO, -ENXIO, "port name '': empty port name at character 1" },
		{ ".", -ENXIO, -ENXIO, "port name '.': not a name of an interface at character 1" },
		{ "..", -ENXIO, -ENXIO, "port name '..': not a name of an interface at character 1" },
		{ "a/b", -ENXIO, -ENXIO,
		    "port name 'a/b': character that an interface name cannot have at character 2" },
		{ "vale-x:a", -ENXIO, -ENXIO,
		    "port name 'vale-x:a': character that an interface name cannot have at character 7" },
		{ "a\001\n\377", -ENXIO, -ENXIO,
		    "port name 'a?\?\?': character that an interface name cannot have at character 2" },
		{ "{1", -EINVAL, -EINVAL,
		    "port name '{1': a pipe needs a port before the bracket at character 1" },
		{ "}1", -EINVAL, -EINVAL,
		    "port name '}1': a pipe needs a port before the bracket at character 1" },
		{ "{", -EINVAL, -EINVAL,
		    "port name '{': a pipe needs a port before the bracket at character 1" },
		{ "p{", -EINVAL, -EINVAL, "port name 'p{': empty pipe id at character 3" },
		{ "p}", -EINVAL, -EINVAL, "port name 'p}': empty pipe id at character 3" },
		{ "a}1{2", -EINVAL, -EINVAL,
		    "port name 'a}1{2': the end of a pipe cannot have pipes of its own at character 2" },
		{ "a{1{2", -EINVAL, -EINVAL,
		    "port name 'a{1{2': the end of a pipe cannot have pipes of its own at character 2" },
		{ "vale0:{1", -EINVAL, -ENXIO, "port name 'vale0:{1': empty port part at character 7" },
	};

	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *name = field(rows[i].name);
		struct port_name pn;
		char why[PORT_NAME_EXPLAIN_SIZE];

		assert_int_equal(port_name_parse(&pn, name, NR_REG_ALL_NIC, 0, true), rows[i].create);
		assert_int_equal(port_name_parse(&pn, name, NR_REG_ALL_NIC, 0, false), rows[i].lookup);
		port_name_explain(&pn, name, why, sizeof(why));
		assert_string_equal(why, rows[i].why);
	}
}

static void
test_cascade(void **state)
{
	struct port_name pn;

	/* null ports have any name, whatever the flags */
	assert_int_equal(port_name_parse(&pn, field("x/{{"), NR_REG_NULL, NR_MONITOR_TX, true), 0);
	assert_int_equal(pn.class, PORT_NAME_NULL);
	assert_int_equal(pn.len, 4);
	assert_false(pn.monitor);
	assert_int_equal(port_name_parse(&pn, field(""), NR_REG_NULL, 0, true), 0);

	/* a monitor is one of what the rest says */
	assert_int_equal(port_name_parse(&pn, field("eth0"), NR_REG_ALL_NIC, NR_MONITOR_TX, true), 0);
	assert_true(pn.monitor);
	assert_int_equal(pn.class, PORT_NAME_IFACE);
	assert_int_equal(port_name_parse(&pn, field("vale0:x{1"), NR_REG_ALL_NIC, NR_ZCOPY_MON, true), 0);
	assert_true(pn.monitor);
	assert_int_equal(pn.pipe, PORT_NAME_MASTER);
	assert_int_equal(pn.class, PORT_NAME_VALE);
	assert_int_equal(port_name_parse(&pn, field("eth0"), NR_REG_ALL_NIC, NR_EXCLUSIVE, true), 0);
	assert_false(pn.monitor);
}

static void
test_pipe_modes(void **state)
{
	struct port_name pn;

	for (uint32_t mode = 0; mode < 17; mode++) {
		int error = port_name_parse(&pn, field("p{1"), mode, 0, true);

		bool good = mode == NR_REG_ALL_NIC || mode == NR_REG_ONE_NIC || mode == NR_REG_NULL;

		assert_int_equal(error, good ? 0 : -EINVAL);
		/* other ports leave the mode to whoever opens them */
		assert_int_equal(port_name_parse(&pn, field("eth0"), mode, 0, true), 0);
	}
}

static void
test_switch_len(void **state)
{
	static const struct { const char *name; size_t len; } rows[] = {
		{ "vale:", 4 }, { "vale0:a", 5 }, { "valeX_1:", 7 }, { "vale0", 0 },
		{ "vale-1:a", 0 }, { "", 0 },
		{ "val:a", 0 }, { "evale:a", 0 }, { "vale", 0 }, { "vale45678901234567890:a", 21 },
	};
	char full[NETMAP_REQ_IFNAMSIZ];

	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(port_name_switch_len(field(rows[i].name)), rows[i].len);
	/* a field without a NUL is read to its end and no further */
	memset(full, 'x', sizeof(full));
	memcpy(full, "vale", 4);
	assert_int_equal(port_name_switch_len(full), 0);
}

static void
test_explain_bounds(void **state)
{
	struct port_name pn;
	char name[NETMAP_REQ_IFNAMSIZ], buf[PORT_NAME_EXPLAIN_SIZE + 1];

	/* the longest name with the error at its end, in every size of buffer */
	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '/';
	assert_int_equal(port_name_parse(&pn, name, NR_REG_ALL_NIC, 0, true), -ENXIO);
	for (size_t size = 0; size < sizeof(buf); size++) {
		memset(buf, '#', sizeof(buf));
		port_name_explain(&pn, name, buf, size);
		assert_int_equal(buf[size], '#');
		if (size != 0)
			assert_true(strlen(buf) < size);
	}
	assert_non_null(strstr(buf, " at character 64"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_cascade),
		cmocka_unit_test(test_pipe_modes),
		cmocka_unit_test(test_switch_len),
		cmocka_unit_test(test_explain_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
