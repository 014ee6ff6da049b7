/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Port names: which kind of port a name asks for, and where its parts are. Says for a bad one what is
 * wrong, and at which character.
 */
#include "port_name.h"

#include "abi_types.h"
#include <net/netmap.h>

#include "bytes.h"
#include "errno_abi.h"

#define NAME_SIZE	NETMAP_REQ_IFNAMSIZ
#define MONITOR_FLAGS	(NR_MONITOR_TX | NR_MONITOR_RX | NR_ZCOPY_MON)

static bool
char_is_identifier(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* What an interface's name cannot have; ports of a switch bear interfaces' names when these are attached. */
static bool
char_is_forbidden(char c)
{
	unsigned char u = (unsigned char)c;

	return u <= ' ' || u == 0x7f || u == '/' || u == ':';
}

/* Length of the switch's name in name[len]; 0 if it is not a VALE name. */
static size_t
switch_len(const char *name, size_t len)
{
	const size_t prefix = sizeof(NM_BDG_NAME) - 1;
	size_t n = prefix;

	if (len <= prefix || !bytes_equal(name, NM_BDG_NAME, prefix))
		return 0;
	while (n < len && char_is_identifier(name[n]))
		n++;
	return n < len && name[n] == ':' ? n : 0;
}

size_t
port_name_switch_len(const char *name)
{
	return switch_len(name, str_len(name, NAME_SIZE));
}

static int
name_error(struct port_name *pn, size_t at, const char *reason, int error)
{
	pn->error_at = (uint8_t)at;
	pn->reason = reason;
	return error;
}

/* Offset of the last c in name[len], or len. */
static size_t
last_of(const char *name, size_t len, char c)
{
	for (size_t i = len; i-- > 0;) {
		if (name[i] == c)
			return i;
	}
	return len;
}

/* Splits off the pipe's id, if there is a bracket. */
static int
pipe_parse(struct port_name *pn, const char *name, uint32_t mode)
{
	size_t at = last_of(name, pn->len, '{');

	pn->pipe = PORT_NAME_MASTER;
	if (at == pn->len) {
		at = last_of(name, pn->len, '}');
		pn->pipe = PORT_NAME_SLAVE;
	}
	if (at == pn->len) {
		pn->pipe = PORT_NAME_NO_PIPE;
		return 0;
	}
	pn->base_len = (uint8_t)at;
	pn->id_off = (uint8_t)(at + 1);
	pn->id_len = (uint8_t)(pn->len - pn->id_off);
	if (pn->base_len == 0)
		return name_error(pn, 0, "a pipe needs a port before the bracket", -EINVAL);
	if (pn->id_len == 0)
		return name_error(pn, pn->id_off, "empty pipe id", -EINVAL);
	for (size_t i = 0; i < pn->base_len; i++) {
		if (name[i] == '{' || name[i] == '}')
			return name_error(pn, i, "the end of a pipe cannot have pipes of its own", -EINVAL);
	}
	if (mode != NR_REG_ALL_NIC && mode != NR_REG_ONE_NIC)
		return name_error(pn, at, "a pipe is opened with all its rings or with one", -EINVAL);
	return 0;
}

static int
vale_parse(struct port_name *pn, const char *name, bool create)
{
	int switch_error = create ? -ENOMEM : -ENXIO;
	int port_error = create ? -EINVAL : -ENXIO;

	pn->class = PORT_NAME_VALE;
	pn->port_off = (uint8_t)(pn->switch_len + 1);
	pn->port_len = (uint8_t)(pn->base_len - pn->port_off);
	if (pn->switch_len > PORT_NAME_SWITCH_MAX)
		return name_error(pn, PORT_NAME_SWITCH_MAX, "switch name of more than 15 characters",
		    switch_error);
	if (pn->port_len == 0)
		return name_error(pn, pn->port_off, "empty port part", port_error);
	if (pn->port_len > PORT_NAME_PORT_MAX)
		return name_error(pn, (size_t)pn->port_off + PORT_NAME_PORT_MAX,
		    "port part of more than 15 characters", port_error);
	for (size_t i = pn->port_off; i < pn->base_len; i++) {
		if (char_is_forbidden(name[i]))
			return name_error(pn, i, "character that a port name cannot have", port_error);
	}
	return 0;
}

static int
iface_parse(struct port_name *pn, const char *name)
{
	const size_t prefix = sizeof(PORT_NAME_TAP) - 1;
	size_t start = pn->base_len > prefix && bytes_equal(name, PORT_NAME_TAP, prefix) ? prefix : 0;

	pn->class = PORT_NAME_IFACE;
	if (pn->base_len == 0)
		return name_error(pn, 0, "empty port name", -ENXIO);
	if (pn->base_len - start <= 2 && bytes_equal(name + start, "..", pn->base_len - start))
		return name_error(pn, start, "not a name of an interface", -ENXIO);
	for (size_t i = start; i < pn->base_len; i++) {
		if (char_is_forbidden(name[i]))
			return name_error(pn, i, "character that an interface name cannot have", -ENXIO);
	}
	return 0;
}

int
port_name_parse(struct port_name *pn, const char *name, uint32_t mode, uint64_t flags, bool create)
{
	int error;

	bytes_zero(pn, sizeof(*pn));
	pn->len = (uint8_t)str_len(name, NAME_SIZE);
	pn->base_len = pn->len;
	if (mode == NR_REG_NULL) {
		pn->class = PORT_NAME_NULL;
		return 0;
	}
	pn->monitor = (flags & MONITOR_FLAGS) != 0;
	error = pipe_parse(pn, name, mode);
	if (error)
		return error;
	pn->switch_len = (uint8_t)switch_len(name, pn->base_len);
	if (pn->switch_len != 0)
		return vale_parse(pn, name, create);
	return iface_parse(pn, name);
}

/* ---- the reason as text ---- */

struct text {
	char *buf;
	size_t size, len;
};

static void
text_add(struct text *t, const char *s, size_t max)
{
	for (size_t i = 0; i < max && s[i] != '\0' && t->len + 1 < t->size; i++) {
		unsigned char u = (unsigned char)s[i];

		t->buf[t->len++] = u < ' ' || u >= 0x7f ? '?' : s[i];
	}
	t->buf[t->len] = '\0';
}

void
port_name_explain(const struct port_name *pn, const char *name, char *buf, size_t size)
{
	struct text t = { .buf = buf, .size = size };
	unsigned int at = pn->error_at + 1U;
	char number[3] = "";

	if (size == 0)
		return;
	buf[0] = '\0';
	if (pn->reason == NULL)
		return;
	if (at >= 10)
		number[0] = (char)('0' + at / 10 % 10);
	number[at >= 10] = (char)('0' + at % 10);
	text_add(&t, "port name '", SIZE_MAX);
	text_add(&t, name, NAME_SIZE);
	text_add(&t, "': ", SIZE_MAX);
	text_add(&t, pn->reason, SIZE_MAX);
	text_add(&t, " at character ", SIZE_MAX);
	text_add(&t, number, sizeof(number));
}
