#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Ports that are the device behind a TAP interface, in front of a host's stack with all its offloads:
#
#	stack - t0 (TAP) == tap:t0 [middle: bridge] netmap:v0 --veth-- v1 [right]
#	10.80.0.1                                                     10.80.0.2
#
# Environment: PKT_GEN, BRIDGE, VALE_CTL, REPLAY, NETMAP_CAPTURES. Needs root.
set -u

skip() { echo "skipped: $*"; exit 77; }
fail() { echo "FAILED: $*" >&2; tail -n 20 "$work"/*.log "$log" >&2 2>/dev/null; exit 1; }

[ "$(id -u)" -eq 0 ] || skip "needs root, to make network namespaces"
[ ! -e /run/netmap/netmapd.sock ] || skip "the system's netmapd runs, and would serve the test"
[ -c /dev/net/tun ] || skip "there is no /dev/net/tun"
for tool in ip ping iperf3; do
	command -v $tool >/dev/null || skip "there is no $tool"
done

middle=nm-test-$$-m right=nm-test-$$-r
. "$(dirname "$0")/lib.sh"
netns_begin $middle $right
unset NETMAP_DRIVER
in_middle="ip netns exec $middle"
in_right="ip netns exec $right"

# there NAME, gone NAME: within five seconds.
there() { for _ in $(seq 100); do ip -n $middle link show "$1" >/dev/null 2>&1 && return; sleep 0.05; done; return 1; }
gone() { for _ in $(seq 100); do ip -n $middle link show "$1" >/dev/null 2>&1 || return 0; sleep 0.05; done; return 1; }

for ns in $middle $right; do
	ip netns add $ns || fail "network namespaces cannot be made"
	ip netns exec $ns sysctl -q -w net.ipv6.conf.default.disable_ipv6=1 2>/dev/null
	ip -n $ns link set lo up
done
ip link add v0 netns $middle type veth peer name v1 netns $right || fail "no veth pair can be made"
ip -n $middle link set v0 up
ip -n $right addr add 10.80.0.2/24 dev v1
ip -n $right link set v1 up

# bridge_start PORT
bridge_start()
{
	$in_middle "$BRIDGE" -w 0 -i "$1" -i netmap:v0 >"$work/bridge.log" 2>&1 &
	bridge_pid=$!
	for _ in $(seq 100); do
		grep -q -- "->" "$work/bridge.log" && break
		kill -0 $bridge_pid 2>/dev/null || fail "bridge has ended"
		sleep 0.05
	done
	sleep 0.3
}

# No packet may be missing, in small and large ones; and TCP runs with the offloads of both stacks on.
traffic()
{
	local size way
	for size in 56 1472 20000; do
		ping_all $middle 10.80.0.2 -c 50 -i 0.01 -s $size || fail "ping -s $size"
	done
	for way in "" -R; do
		$in_right iperf3 -s -1 >/dev/null 2>&1 &
		local server=$!
		sleep 0.5
		# shellcheck disable=SC2086
		$in_middle timeout 20 iperf3 -c 10.80.0.2 -t 2 $way >"$work/iperf.log" 2>&1 || fail "iperf3 $way"
		wait $server
		sed -n 's/.* \([0-9.]* [KMG]bits\/sec\) .*receiver.*/    TCP \1/p' "$work/iperf.log"
		grep -q ' [1-9][0-9.]* [KMG]bits/sec .*receiver' "$work/iperf.log" || fail "no TCP traffic"
	done
}

step "tap:t0 makes the interface, which works like any other"
! ip -n $middle link show t0 >/dev/null 2>&1 || fail "t0 is there"
bridge_start tap:t0
ip -n $middle addr add 10.80.0.1/24 dev t0 || fail "there is no t0"
traffic
# Byte for byte, out of the device and into it.
for file in "$NETMAP_CAPTURES"/{tls,vlan,vlan-2,ipv6-ext-headers}.pcap; do
	[ -e "$file" ] || continue
	"$REPLAY" $right v1 $middle t0 "$file" >"$work/replay.log" 2>&1 || fail "replay of $(basename "$file") to t0"
	"$REPLAY" $middle t0 $right v1 "$file" >"$work/replay.log" 2>&1 || fail "replay of $(basename "$file") from t0"
	echo "    $(basename "$file"): $(tail -n 1 "$work/replay.log")"
done
"$VALE_CTL" -v >"$work/modes.log" 2>&1
grep -A 1 '^tap:t0' "$work/modes.log" | grep -q '\btap\b' || fail "vale-ctl does not say so"

step "it has one device"
$in_middle "$PKT_GEN" -i netmap:tap:t0 -f rx -w 0 >"$work/second.log" 2>&1 &
second=$!
sleep 0.5
kill -0 $second 2>/dev/null || fail "a second descriptor of the same port"
kill -INT $second; wait $second
$in_middle timeout 5 "$PKT_GEN" -i tap:t0 -f rx >"$work/second.log" 2>&1 && fail "a second device"

step "it goes with the port"
kill -INT $bridge_pid; wait $bridge_pid
gone t0 || fail "t0 stays"

step "also after kill -9"
bridge_start tap:t0
there t0 || fail "there is no t0"
kill -9 $bridge_pid; wait $bridge_pid 2>/dev/null
gone t0 || fail "t0 stays"

step "a persistent interface stays as it is"
ip -n $middle tuntap add dev p0 mode tap
ip -n $middle addr add 10.80.0.1/24 dev p0
ip -n $middle link set p0 up
bridge_start netmap:p0
traffic
kill -INT $bridge_pid; wait $bridge_pid
sleep 0.3
ip -n $middle link show p0 | grep -q NO-CARRIER || fail "p0 is gone, or held"
bridge_start tap:p0
$in_middle ping -q -c 5 -i 0.05 -W 2 10.80.0.2 >/dev/null 2>&1 || fail "ping"
kill -INT $bridge_pid; wait $bridge_pid
sleep 0.3

step "what another program has"
$in_middle "$PKT_GEN" -i tap:p0 -f rx >"$work/holder.log" 2>&1 &
holder=$!
for _ in $(seq 100); do
	ip -n $middle link show p0 | grep -q LOWER_UP && break
	sleep 0.05
done
$in_middle timeout 5 "$PKT_GEN" -i netmap:tap:p0 -f rx -w 0 >"$work/refused.log" 2>&1 && fail "the device is taken away"
grep -q "another program holds the device" "$log" "$work/refused.log" || fail "nobody says why"
# The interface itself, then: what the port sends goes to the holder.
$in_middle timeout 10 "$PKT_GEN" -i netmap:p0 -f tx -n 100 -w 0 >"$work/tx.log" 2>&1 || fail "the interface itself"
sleep 0.3
kill -INT $holder; wait $holder
grep -q '^Received 1[0-9][0-9] packets' "$work/holder.log" || fail "the holder has got: $(tail -n 3 "$work/holder.log")"

step "names"
for name in netmap:tap: tap: tap:nameoftoomanycharacters tap:a/b tap:v0; do
	$in_middle timeout 5 "$PKT_GEN" -i "netmap:${name#netmap:}" -f rx -w 0 >"$work/name.log" 2>&1 && fail "$name"
done
grep -q "not a TAP interface" "$log" "$work/name.log" || fail "tap:v0: nobody says why"
echo ok
