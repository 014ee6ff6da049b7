# SPDX-License-Identifier: BSD-2-Clause
# For the scripts of this folder: a private directory, a netmapd of its own that the first program starts, and an
# end that finds leftovers.
# shellcheck shell=sh disable=SC2034
set -u
unset NETMAP_SOCKET
NETMAP_HOST=user
export NETMAP_HOST

fail()
{
	echo "FAILED: $*" >&2
	exit 1
}

skip()
{
	echo "skipped: $*"
	exit 77
}

# private_dir: makes $dir, which netmapd's directory goes into, and cleans up at the end.
private_dir()
{
	[ -e /run/netmap/netmapd.sock ] && skip "the system's netmapd runs, and would serve the test"
	dir=$(mktemp -d /tmp/netmap-test-XXXXXX) || exit 1
	XDG_RUNTIME_DIR=$dir
	export XDG_RUNTIME_DIR
	trap cleanup EXIT
	trap 'exit 1' INT TERM HUP
}

# daemon_pid DIRECTORY: of the netmapd that serves there, or nothing.
daemon_pid()
{
	[ -f "$1/netmapd.log" ] || return 0
	sed -n 's/.*(pid \([0-9]*\), user .*) serves .*/\1/p' "$1/netmapd.log" | tail -n 1
}

cleanup()
{
	status=$?
	trap - EXIT
	for job in $(jobs -p); do
		kill "$job" 2>/dev/null
	done
	pid=$(daemon_pid "$dir/netmap")
	[ -z "$pid" ] || kill "$pid" 2>/dev/null
	rm -rf "$dir"
	exit $status
}

is_running()
{
	[ -n "$1" ] && [ -d "/proc/$1" ] && ! grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null
}

# daemon_left DIRECTORY: waits until it has left by itself.
daemon_left()
{
	pid=$(daemon_pid "$1")
	[ -n "$pid" ] || fail "no netmapd was started in $1"
	n=0
	while is_running "$pid"; do
		n=$((n + 1))
		[ $n -lt 100 ] || fail "netmapd is left behind"
		sleep 0.1
	done
	[ ! -e "$1/netmapd.sock" ] || fail "its socket is left behind"
	if grep -v -e ' serves ' -e 'leaving: no session' -e 'unfinished lease' "$1/netmapd.log"; then
		fail "this is unexpected in the log of netmapd"
	fi
}
