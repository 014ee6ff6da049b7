# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# For scripts that run netmap in network namespaces of their own: a private netmapd, and nothing left behind.
# netns_begin NAMESPACE...: to be called before anything is made; these namespaces, once the script has made them, go at
# its end. Sets work (a folder), log (netmapd's).

step() { echo "--- $*"; }

netmapd_pid() { sed -n 's/.*(pid \([0-9]*\), user .*) serves .*/\1/p' "$log" 2>/dev/null | tail -n 1; }
running() { [ -n "$1" ] && [ -d "/proc/$1" ] && ! grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null; }

netns_end()
{
	local status=$? ns
	trap - EXIT
	# shellcheck disable=SC2046
	kill -9 $(netmapd_pid) $(jobs -p) 2>/dev/null
	wait 2>/dev/null
	for ns in $netns_own; do
		ip netns pids "$ns" 2>/dev/null | xargs -r kill -9 2>/dev/null
		ip netns del "$ns" 2>/dev/null
	done
	rm -rf "$work"
	exit $status
}

netns_begin()
{
	netns_own=$*
	work=$(mktemp -d /tmp/netmap-test-XXXXXX) || exit 1
	log=$work/netmap/netmapd.log
	export XDG_RUNTIME_DIR=$work NETMAP_HOST=user
	unset NETMAP_SOCKET
	trap netns_end EXIT
	trap 'exit 1' INT TERM HUP
}

# ping_all NAMESPACE ADDRESS PING-OPTIONS: all of them are answered, each once. The last may be missing: ping waits for its answer no longer than two
# round trips, or the interval, so that a pause of the machine looks like a loss.
ping_all()
{
	local ns=$1 to=$2 out sent=0 got=0
	shift 2
	out=$(ip netns exec "$ns" ping -W 2 "$@" "$to" 2>&1)
	read -r sent got <<<"$(sed -n 's/^\([0-9]*\) packets transmitted, \([0-9]*\) received.*/\1 \2/p' <<<"$out")"
	if grep -q duplicates <<<"$out" || [ "${sent:-0}" -eq 0 ] ||
	   { [ "$got" -ne "$sent" ] && { [ "$got" -ne $((sent - 1)) ] || grep -q "icmp_seq=$sent " <<<"$out"; }; }; then
		echo "$out" >&2
		return 1
	fi
	sed -n 's/^\(.* packet loss\).*/    \1/p' <<<"$out"
}
