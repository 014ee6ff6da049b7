/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packets with descriptors. Whatever descriptors arrive are either handed to the caller or closed.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "message.h"
#include "sys.h"

union control {
	struct cmsghdr align;
	char buf[CMSG_SPACE(PROTO_FDS_MAX * sizeof(int))];
};

int
message_send(int sock, const struct iovec *iov, unsigned iovs, const struct message_fds *fds, int flags)
{
	union control control;
	struct msghdr msg = { .msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = iovs };
	long n;

	if (fds != NULL && fds->n > 0) {
		struct cmsghdr *c;

		memset(&control, 0, sizeof(control));
		msg.msg_control = control.buf;
		msg.msg_controllen = CMSG_SPACE(fds->n * sizeof(int));
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(fds->n * sizeof(int));
		memcpy(CMSG_DATA(c), fds->fd, fds->n * sizeof(int));
	}
	n = sys_sendmsg(sock, &msg, flags | MSG_NOSIGNAL);
	return n < 0 ? (int)n : 0;
}

static void
fds_collect(struct msghdr *msg, struct message_fds *fds)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
		unsigned n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (unsigned i = 0; i < n && fds->n < PROTO_FDS_MAX; i++)
			memcpy(&fds->fd[fds->n++], CMSG_DATA(c) + i * sizeof(int), sizeof(int));
	}
}

long
message_recv(int sock, void *buf, size_t size, struct message_fds *fds, int flags)
{
	union control control;
	struct iovec iov = { .iov_base = buf, .iov_len = size };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf),
	};
	long n;

	fds->n = 0;
	n = sys_recvmsg(sock, &msg, flags | MSG_CMSG_CLOEXEC);
	if (n < 0)
		return n;
	fds_collect(&msg, fds);
	if (n == 0 || (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
		message_fds_close(fds);
		return n == 0 ? 0 : -EMSGSIZE;
	}
	return n;
}

void
message_fds_close(struct message_fds *fds)
{
	while (fds->n > 0)
		sys_close(fds->fd[--fds->n]);
}

int
message_fds_take(struct message_fds *fds)
{
	return fds->n > 0 ? fds->fd[--fds->n] : -1;
}
