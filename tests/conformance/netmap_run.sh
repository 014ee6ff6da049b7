#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# netmap-run: programs that know nothing of libnetmap.
# Environment: NETMAPD, NETMAP_RUN, UNLINKED; usage: netmap_run.sh SOURCE-DIRECTORY
here=$1
. "$here/lib.sh"
private_dir

# Without it there is no /dev/netmap. (Where there is one, from a kernel module, nothing can be said.)
if [ ! -e /dev/netmap ]; then
	"$UNLINKED" vale0:a vale0:b
	[ $? -eq 2 ] || fail "the program opened /dev/netmap without netmap-run"
fi
"$NETMAP_RUN" "$UNLINKED" vale0:a vale0:b || fail "the unlinked program, status $?"
# Through a shell: what it starts inherits the library, and nothing of it shows.
# shellcheck disable=SC2016
text=$("$NETMAP_RUN" sh -c '"$UNLINKED" vale0:a vale0:b && "$UNLINKED" vale1:a vale1:b && echo done' 2>&1) ||
	fail "two in a shell: $text"
[ "$text" = done ] || fail "there was something else in the output: $text"
# A program of the distribution.
if command -v python3 >/dev/null; then
	"$NETMAP_RUN" python3 "$here/unmodified.py" vale0:a vale0:b || fail "python"
fi
# Programs that have nothing to do with netmap behave as ever.
[ "$(echo text | "$NETMAP_RUN" cat)" = text ] || fail "cat"
"$NETMAP_RUN" sh -c 'exit 3'
[ $? -eq 3 ] || fail "the exit status is not passed on"
"$NETMAP_RUN" /nonexistent/program 2>/dev/null
[ $? -eq 127 ] || fail "a program that is not there"
[ -s "$("$NETMAP_RUN" --library)" ] || fail "--library"
daemon_left "$dir/netmap"
echo "ok"
