/* SPDX-License-Identifier: BSD-2-Clause */
/* Taking a snapshot: two questions to the netmapd that serves this process, or would, if it runs. */
#include "intercept.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../host/sys.h"
#include "client_internal.h"
#include "stats_snapshot.h"

/* The memory cannot change any more, and reading it does not block: nothing but a sealed memfd has these. */
#define STATS_SEALS	(F_SEAL_SHRINK | F_SEAL_WRITE)

int
stats_records_copy(int fd, uint64_t size, void **out)
{
	struct stat st;
	char *copy;
	size_t n = 0;
	int seals = sys_fcntl(fd, F_GET_SEALS, 0);

	if (seals < 0 || (seals & STATS_SEALS) != STATS_SEALS)
		return -EPROTO;
	if (fstat(fd, &st) != 0 || st.st_size < 0 || (uint64_t)st.st_size != size || size > STATS_SIZE_MAX)
		return -EPROTO;
	copy = malloc(size + 1);
	if (copy == NULL)
		return -ENOMEM;
	while (n < size) {
		ssize_t got = pread(fd, copy + n, size - n, (off_t)n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			free(copy);
			return got < 0 ? -errno : -EPROTO;
		}
		n += (size_t)got;
	}
	*out = copy;
	return 0;
}

static int
info_ask(struct proto_info_reply *info)
{
	const struct client_call call = { .type = PROTO_INFO, .reply = info, .reply_size = sizeof(*info) };
	int n = client_call(&call);

	if (n < 0)
		return n;
	return n == sizeof(*info) ? 0 : -EPROTO;
}

static int
stats_ask(struct proto_stats_reply *reply, void **records)
{
	struct message_fds fds = { 0 };
	const struct client_call call = {
		.type = PROTO_STATS, .reply = reply, .reply_size = sizeof(*reply), .in = &fds,
	};
	int n = client_call(&call), err;

	if (n < 0)
		return n;
	err = n == sizeof(*reply) && fds.n == 1 ? stats_records_copy(fds.fd[0], reply->size, records) : -EPROTO;
	message_fds_close(&fds);
	return err;
}

int
stats_connect(void)
{
	int err = client_connect(false);

	/* A socket without a server, or a directory that is not there: nobody runs. */
	return err == -ECONNREFUSED || err == -ENOTDIR ? -ENOENT : err;
}

static int
snapshot_ask(struct netmap_stats **out)
{
	struct proto_stats_reply reply;
	struct proto_info_reply info;
	void *records = NULL;
	int err = stats_connect();

	if (err == 0)
		err = info_ask(&info);
	if (err == 0)
		err = stats_ask(&reply, &records);
	if (err != 0)
		return err;
	err = stats_snapshot(&info, &reply, records, out);
	free(records);
	return err;
}

int
netmap_stats_take(struct netmap_stats **out)
{
	int err, saved = errno;

	*out = NULL;
	if (!process_active)
		return -EOPNOTSUPP;
	process_enter();
	client_enter();
	err = snapshot_ask(out);
	client_leave();
	errno = saved;
	return err;
}

const char *
netmap_last_error(void)
{
	return client_last_why();
}
