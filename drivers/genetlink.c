/* SPDX-License-Identifier: BSD-2-Clause */
/* Families of generic netlink, see genetlink.h. */
#include <errno.h>
#include <string.h>
#include <linux/genetlink.h>

#include "genetlink.h"

#define REQUEST_MAX	1024

struct family_query {
	const char *group;
	struct genetlink_family *out;
};

struct nlmsghdr *genetlink_request(void *buf, const struct genetlink_family *family, uint8_t command,
				   uint8_t version,
				   uint16_t flags)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct genlmsghdr *genl;

	nlh->nlmsg_type = family->id;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	genl = mnl_nlmsg_put_extra_header(nlh, sizeof(*genl));
	genl->cmd = command;
	genl->version = version;
	return nlh;
}

static void group_parse(const struct nlattr *group, const struct family_query *q)
{
	const struct nlattr *attr;
	const char *name = NULL;
	uint32_t id = 0;

	mnl_attr_for_each_nested(attr, group) {
		if (mnl_attr_get_type(attr) == CTRL_ATTR_MCAST_GRP_NAME &&
		    mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) == 0)
			name = mnl_attr_get_str(attr);
		if (mnl_attr_get_type(attr) == CTRL_ATTR_MCAST_GRP_ID && mnl_attr_validate(attr,
											   MNL_TYPE_U32) == 0)
			id = mnl_attr_get_u32(attr);
	}
	if (name && strcmp(name, q->group) == 0)
		q->out->group = id;
}

static int family_cb(const struct nlmsghdr *nlh, void *arg)
{
	const struct family_query *q = arg;
	const struct nlattr *attr, *group;

	mnl_attr_for_each(attr, nlh, sizeof(struct genlmsghdr)) {
		if (mnl_attr_get_type(attr) == CTRL_ATTR_FAMILY_ID && mnl_attr_validate(attr,
											MNL_TYPE_U16) == 0)
			q->out->id = mnl_attr_get_u16(attr);
		if (mnl_attr_get_type(attr) == CTRL_ATTR_MCAST_GROUPS && q->group)
			mnl_attr_for_each_nested(group, attr)
				group_parse(group, q);
	}
	return MNL_CB_OK;
}

int genetlink_family_get(struct netlink *nl, const char *name, const char *group,
			 struct genetlink_family *out)
{
	static const struct genetlink_family control = { .id = GENL_ID_CTRL };
	struct family_query q = { .group = group, .out = out };
	char buf[REQUEST_MAX];
	struct nlmsghdr *nlh = genetlink_request(buf, &control, CTRL_CMD_GETFAMILY, 1, NLM_F_ACK);
	int err;

	memset(out, 0, sizeof(*out));
	mnl_attr_put_strz(nlh, CTRL_ATTR_FAMILY_NAME, name);
	err = netlink_run(nl, nlh, family_cb, &q);
	return err == 0 && out->id == 0 ? -ENOENT : err;
}
