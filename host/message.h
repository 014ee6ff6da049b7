/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One packet of a SOCK_SEQPACKET connection, with descriptors: the transport of libnetmap/protocol.h.
 * Safe in signal handlers.
 */
#ifndef HOST_MESSAGE_H
#define HOST_MESSAGE_H

#include <stddef.h>
#include <sys/uio.h>

#include "../libnetmap/protocol.h"

struct message_fds {
	unsigned n;
	int fd[PROTO_FDS_MAX];
};

/* Whole or not at all. Descriptors (fds may be NULL) stay the caller's. flags as of sendmsg(2). 0 or -errno. */
int message_send(int sock, const struct iovec *iov, unsigned iovs, const struct message_fds *fds, int flags);

/*
 * Length of the packet; 0 at the end of the connection (an empty packet reads the same, and nobody sends one);
 * -EMSGSIZE if the packet or its descriptors were more than fit, or -errno. With a positive result the descriptors in
 * *fds, close-on-exec, are the caller's; otherwise there are none.
 */
long message_recv(int sock, void *buf, size_t size, struct message_fds *fds, int flags);

void message_fds_close(struct message_fds *fds);

/* Takes the only descriptor out, which is the caller's then; -1 if there is none. */
int message_fds_take(struct message_fds *fds);

#endif /* HOST_MESSAGE_H */
