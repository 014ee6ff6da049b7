/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A conversation over TCP, a few bytes at a time, as in a shell on another machine.
 *	talk listen PORT		accepts one connection and returns what comes
 *	talk ADDRESS PORT LINES		sends so many lines, each when the one before has come back
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static int fail(const char *what)
{
	perror(what);
	return 1;
}

static int talk_listen(const struct sockaddr_in *addr)
{
	int one = 1, s = socket(AF_INET, SOCK_STREAM, 0), c;
	char buf[256];
	ssize_t n;

	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(s, (const struct sockaddr *)addr, sizeof(*addr)) < 0 || listen(s, 1) < 0)
		return fail("listen");
	c = accept(s, NULL, NULL);
	if (c < 0)
		return fail("accept");
	setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	while ((n = read(c, buf, sizeof(buf))) > 0)
		if (write(c, buf, (size_t)n) != n)
			return fail("write");
	return n < 0 ? fail("read") : 0;
}

static int line_echo(int s, const char *line, size_t len)
{
	char back[64];
	size_t got = 0;
	ssize_t n;

	if (write(s, line, len) != (ssize_t)len)
		return fail("write");
	while (got < len) {
		n = read(s, back + got, len - got);
		if (n <= 0)
			return fail("read");
		got += (size_t)n;
	}
	if (memcmp(line, back, len) != 0) {
		fprintf(stderr, "talk: another line came back\n");
		return 1;
	}
	return 0;
}

static int talk_speak(const struct sockaddr_in *addr, unsigned lines)
{
	struct timeval limit = { .tv_sec = 5 };
	int one = 1, s = socket(AF_INET, SOCK_STREAM, 0);
	char line[64];

	setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (connect(s, (const struct sockaddr *)addr, sizeof(*addr)) < 0)
		return fail("connect");
	for (unsigned i = 0; i < lines; i++) {
		int len = snprintf(line, sizeof(line), "line %u of %u\n", i, lines);

		if (line_echo(s, line, (size_t)len))
			return 1;
	}
	close(s);
	return 0;
}

int main(int argc, char **argv)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };

	if (argc < 3)
		return 2;
	addr.sin_port = htons((uint16_t)atoi(argv[2]));
	if (strcmp(argv[1], "listen") == 0)
		return talk_listen(&addr);
	if (argc != 4 || inet_pton(AF_INET, argv[1], &addr.sin_addr) != 1)
		return 2;
	return talk_speak(&addr, (unsigned)atoi(argv[3]));
}
