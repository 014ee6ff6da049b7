#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# A monitor of an interface sees frames that the program which has the interface never reads, asleep or not; a zero-copy one sees what is
# read; both see what is sent; and when the program ends so do they.
#
#	[left] l0 --veth-- r0 [right: the monitored program, monitors]
#
# Environment: PKT_GEN, HOLD. Needs root.
set -u

skip() { echo "skipped: $*"; exit 77; }
fail() { echo "FAILED: $*" >&2; tail -n 20 "$work"/*.log "$log" >&2 2>/dev/null; exit 1; }

[ "$(id -u)" -eq 0 ] || skip "needs root, to make network namespaces"
[ ! -e /run/netmap/netmapd.sock ] || skip "the system's netmapd runs, and would serve the test"
for tool in ip ping timeout; do
	command -v $tool >/dev/null || skip "there is no $tool"
done

left=nm-test-$$-l right=nm-test-$$-r
. "$(dirname "$0")/lib.sh"
netns_begin $left $right
unset NETMAP_VETH_JOIN

in_right="ip netns exec $right"

# until_true TENTHS COMMAND...
until_true()
{
	local n=$1
	shift
	while ! "$@"; do
		[ "$n" -gt 0 ] || return 1
		n=$((n - 1))
		sleep 0.1
	done
}

for ns in $left $right; do
	ip netns add $ns || skip "network namespaces cannot be made here"
	ip netns exec $ns sysctl -q -w net.ipv6.conf.default.disable_ipv6=1 2>/dev/null
done
ip link add l0 netns $left type veth peer name r0 netns $right || skip "there are no veth pairs"
ip -n $left addr add 192.0.2.1/24 dev l0
ip -n $left link set l0 up
ip -n $right link set r0 up
ip -n $left neigh add 192.0.2.2 lladdr 02:00:00:00:00:02 dev l0 nud permanent

pings() { ip netns exec $left ping -q -c "$1" -i 0.02 -W 1 192.0.2.2 >/dev/null 2>&1; }
# The last number of frames that pkt-gen says it received.
received() { sed -n 's/^Received \([0-9]*\) packets.*/\1/p' "$1" | tail -n 1; }

step "a program that does not read; a monitor that sleeps meanwhile"
$in_right "$HOLD" netmap:r0 >"$work/hold.log" 2>&1 &
hold=$!
until_true 100 grep -qs open "$work/hold.log" || fail "the interface cannot be opened"
timeout 20 $in_right "$PKT_GEN" -i netmap:r0/r -f rx -n 30 -W -w 0 >"$work/copy.log" 2>&1 &
monitor=$!
sleep 1
pings 40
wait $monitor || fail "the monitor ended with $?"
[ "$(received "$work/copy.log")" -ge 30 ] || fail "the monitor saw $(received "$work/copy.log") frames of 30"

step "the program ends: its monitor does"
timeout 20 $in_right "$PKT_GEN" -i netmap:r0/rt -f rx -W -w 0 >"$work/ends.log" 2>&1 &
monitor=$!
sleep 1
kill -0 $monitor 2>/dev/null || fail "the monitor did not wait"
kill -9 $hold
wait $hold 2>/dev/null
# pkt-gen goes on polling a port in error, or ends: either way nothing new comes, and the name has to be opened again.
until_true 50 sh -c "! timeout 5 $in_right '$HOLD' netmap:r0/r" || fail "a port that is closed can be monitored"
kill -INT $monitor 2>/dev/null
wait $monitor

step "a program that reads, and sends: copies and buffers"
timeout 20 $in_right "$PKT_GEN" -i netmap:r0 -f rx -n 30 -W -w 0 >"$work/reader.log" 2>&1 &
reader=$!
until_true 100 sh -c "$in_right '$HOLD' netmap:r0/t >'$work/probe.log' 2>&1 & p=\$!; sleep 0.3; kill -9 \$p 2>/dev/null; grep -q open '$work/probe.log'" ||
	fail "the reader does not have the interface"
timeout 20 $in_right "$PKT_GEN" -i netmap:r0/z -f rx -n 20 -W -w 0 >"$work/zcopy.log" 2>&1 &
monitor=$!
sleep 1
pings 40
wait $reader || fail "the reader ended with $?"
wait $monitor || fail "the zero-copy monitor ended with $?"
[ "$(received "$work/zcopy.log")" -ge 20 ] || fail "the zero-copy monitor saw $(received "$work/zcopy.log") frames of 20"

timeout 20 $in_right "$PKT_GEN" -i netmap:r0 -f tx -n 100000 -R 2000 -w 0 >"$work/sender.log" 2>&1 &
sender=$!
sleep 1
timeout 20 $in_right "$PKT_GEN" -i netmap:r0/t -f rx -n 500 -W -w 0 >"$work/sent.log" 2>&1 || fail "the monitor of what is sent ended with $?"
[ "$(received "$work/sent.log")" -ge 500 ] || fail "it saw $(received "$work/sent.log") frames of 500"
kill -INT $sender
wait $sender 2>/dev/null
echo "passed"
