#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# netmapd outside of the program's network namespace, and without the privilege to enter it: an interface there is EPERM with a
# sentence that names the capability, not "there is none"; what needs no interface works, and no descriptor is left open.
#
# Environment: NETMAPD, HOLD, VALE_CTL. Needs root.
set -u

skip() { echo "skipped: $*"; exit 77; }
fail() { echo "FAILED: $*" >&2; tail -n 20 "$work"/*.log "$log" >&2 2>/dev/null; exit 1; }

[ "$(id -u)" -eq 0 ] || skip "needs root, to make network namespaces"
[ ! -e /run/netmap/netmapd.sock ] || skip "the system's netmapd runs, and would serve the test"
for tool in ip setpriv; do
	command -v $tool >/dev/null || skip "there is no $tool"
done

inner=nm-test-$$-i
. "$(dirname "$0")/lib.sh"
netns_begin $inner
unset NETMAP_DRIVER NETMAP_SETNS
export NETMAP_VERBOSE=1
in_inner="ip netns exec $inner"

ip netns add $inner || skip "network namespaces cannot be made here"
ip -n $inner link add h0 type veth peer name h1 || skip "there are no veth pairs"
ip -n $inner link set h0 up
ip -n $inner link set h1 up

# held PORT: it can be opened in the inner namespace.
held()
{
	$in_inner "$HOLD" "$1" >"$work/hold.log" 2>&1 &
	local pid=$! found=1
	for _ in $(seq 100); do
		grep -qs open "$work/hold.log" && found=0 && break
		running $pid || break
		sleep 0.05
	done
	kill -9 $pid 2>/dev/null
	wait $pid 2>/dev/null
	return $found
}

descriptors() { ls "/proc/$(netmapd_pid)/fd" | wc -l; }

stop()
{
	local pid
	pid=$(netmapd_pid)
	kill "$pid"
	for _ in $(seq 100); do running "$pid" || return 0; sleep 0.05; done
	fail "netmapd does not end"
}

refused()
{
	local before now
	held netmap:none{1 || fail "a pipe needs no interface, and cannot be opened"
	held valex:1 || fail "a switch needs no interface, and cannot be opened"
	sleep 0.5
	before=$(descriptors)
	for _ in 1 2 3 4 5; do
		held netmap:h0 && fail "an interface of a namespace that netmapd may not enter was opened"
		grep -q "may not enter.*CAP_SYS_ADMIN" "$work/hold.log" || fail "the reason is not told: $(cat "$work/hold.log")"
		$in_inner "$VALE_CTL" -a valex:h0 >"$work/attach.log" 2>&1 && fail "and attached to a switch"
		grep -q "may not enter.*CAP_SYS_ADMIN" "$work/attach.log" || fail "the reason is not told: $(cat "$work/attach.log")"
	done
	for _ in $(seq 50); do
		now=$(descriptors)
		[ "$now" -le "$before" ] && return
		sleep 0.1
	done
	fail "netmapd had $before descriptors, and has $now"
}

step "without CAP_SYS_ADMIN"
setpriv --bounding-set -sys_admin --inh-caps -sys_admin "$NETMAPD" -i 300 || fail "netmapd does not start"
(( 0x$(sed -n 's/^CapEff:\s*//p' "/proc/$(netmapd_pid)/status") & 1 << 21 )) && fail "netmapd has CAP_SYS_ADMIN"
refused
stop

step "NETMAP_SETNS=no"
NETMAP_SETNS=no "$NETMAPD" -i 300 || fail "netmapd does not start"
refused
stop

step "with it, the interface opens"
"$NETMAPD" -i 300 || fail "netmapd does not start"
held netmap:h0 || fail "the interface cannot be opened"
stop
