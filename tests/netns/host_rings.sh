#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Host rings: programs between an interface and its own stack. Two network namespaces; the far end keeps its default
# offloads.
#
#	[near: stack <-> bridge -i e0 <-> e0] ---veth--- [f0: far]
#	       10.79.0.1                                     10.79.0.2
#
# ARP, ping and TCP run through bridge(8) and through forwarding, both ways, with each driver; and all is as it was when
# they or netmapd end, whatever the way.
# Environment: NETMAPD, BRIDGE, FORWARD, TALK, PKT_GEN, VALE_CTL. Needs root.
set -u

skip() { echo "skipped: $*"; exit 77; }
fail() { echo "FAILED: $variant: $*" >&2; cat "$work"/*.log "$work"/netmap/*.log >&2 2>/dev/null; exit 1; }

[ "$(id -u)" -eq 0 ] || skip "needs root, to make network namespaces"
[ ! -e /run/netmap/netmapd.sock ] || skip "the system's netmapd runs, and would serve the test"
for tool in ip tc ethtool iperf3 ping tcpdump; do
	command -v $tool >/dev/null || skip "there is no $tool"
done

near=nm-host-$$-n far=nm-host-$$-f
. "$(dirname "$0")/lib.sh"
netns_begin $near $far
unset NETMAP_DRIVER NETMAP_INGRESS
variant=none program_pid=

step() { echo "--- $variant: $*"; }

# topology QUEUES
topology()
{
	local ns
	for ns in $near $far; do
		ip netns del $ns 2>/dev/null
		ip netns add $ns || return 1
		ip netns exec $ns sysctl -q -w net.ipv6.conf.default.disable_ipv6=1 2>/dev/null
		ip -n $ns link set lo up
	done
	ip link add e0 netns $near numrxqueues "$1" numtxqueues "$1" type veth \
		peer name f0 netns $far numrxqueues "$1" numtxqueues "$1" || return 1
	ip -n $near addr add 10.79.0.1/24 dev e0
	ip -n $far addr add 10.79.0.2/24 dev f0
	ip -n $near link set e0 up
	ip -n $far link set f0 up
}

# What could be left behind.
state()
{
	{
		ip -n $near -d link show | sed 's/ qlen [0-9]*//'
		ip -n $near addr show
		ip -n $near route show
		ip netns exec $near ethtool -k e0
		ip netns exec $near tc qdisc show
		ip netns exec $near tc filter show dev e0 ingress
		ip netns exec $near tc filter show dev e0 egress
		ip netns exec $near cat /proc/net/packet | awk 'NR > 1 { print $3, $5 }'
	} 2>&1
}

# state_as_found WHEN: within a few seconds, what holds an interface's state ends in the background.
state_as_found()
{
	for _ in $(seq 50); do
		state >"$work/now"
		cmp -s "$work/found" "$work/now" && break
		sleep 0.1
	done
	cmp -s "$work/found" "$work/now" || { diff "$work/found" "$work/now" >&2; fail "$1: not all is as it was"; }
	answers $near 10.79.0.2 || fail "$1: the stack does not reach the far end"
}

# start PROGRAM ARGUMENT ...: in the near namespace; its ready line must contain "e0" or "ready".
start()
{
	: >"$work/program.log"
	ip netns exec $near "$@" >>"$work/program.log" 2>&1 &
	program_pid=$!
	for _ in $(seq 100); do
		running $program_pid || fail "$1 has ended"
		grep -q -e '-> netmap:e0' -e ready "$work/program.log" && break
		sleep 0.05
	done
	sleep 0.2
	running $program_pid || fail "$1 has ended"
}

stop()
{
	kill -INT $program_pid
	wait $program_pid || fail "$program_pid ends with status $?"
	program_pid=
}

answers() { ip netns exec "$1" ping -q -c 2 -i 0.2 -W 1 "$2" >/dev/null 2>&1; }

# lossless NAMESPACE ADDRESS PING-OPTIONS
lossless()
{
	local ns=$1 to=$2 out
	shift 2
	out=$(ip netns exec "$ns" ping -W 2 "$@" "$to" 2>&1)
	grep -q ' 0% packet loss' <<<"$out" || { echo "$out" >&2; traces >&2; fail "ping $* $to"; }
	! grep -q 'duplicates' <<<"$out" || fail "ping $* $to: duplicates"
	sed -n 's/^\(.* packet loss\).*/    \1/p' <<<"$out"
}

traces() { [ ! -x "$VALE_CTL" ] || ip netns exec $near "$VALE_CTL" -v; ip -n $near -s link; }

pings()
{
	local ns
	# Who is that? The stack's own ARP goes both ways.
	for ns in $near $far; do ip -n $ns neigh flush all; done
	lossless $near 10.79.0.2 -c 20 -i 0.01
	lossless $far 10.79.0.1 -c 20 -i 0.01
	lossless $near 10.79.0.2 -c 20 -i 0.01 -s 1472
	lossless $far 10.79.0.1 -c 10 -i 0.01 -s 9000
}

conversation()
{
	local server
	ip netns exec $near "$TALK" listen 2222 &
	server=$!
	sleep 0.3
	ip netns exec $far "$TALK" 10.79.0.1 2222 200 || fail "a TCP session from the far end"
	wait $server || fail "a TCP session, at the near end"
	ip netns exec $far "$TALK" listen 2222 &
	server=$!
	sleep 0.3
	ip netns exec $near "$TALK" 10.79.0.2 2222 200 || fail "a TCP session to the far end"
	wait $server || fail "a TCP session, at the far end"
}

transfer()
{
	local server direction
	for direction in "" -R; do
		ip netns exec $far iperf3 -s -1 >/dev/null 2>&1 &
		server=$!
		sleep 0.3
		# shellcheck disable=SC2086
		ip netns exec $near timeout 20 iperf3 -c 10.79.0.2 -t 1 $direction >"$work/iperf" 2>&1 ||
			{ cat "$work/iperf" >&2; fail "iperf3"; }
		wait $server
		sed -n 's/.* \([0-9.]* [KMG]bits\/sec\) .*receiver.*/    \1/p' "$work/iperf"
		grep -q ' [1-9][0-9.]* [KMG]bits/sec .*receiver' "$work/iperf" ||
			{ cat "$work/iperf" >&2; fail "no TCP traffic"; }
	done
}

# What the stack gets is seen on the interface; both directions on the near end of the pair.
captures()
{
	local pair
	pair=$(ip -n $near -o link show | sed -n 's/^[0-9]*: \(nmh[^@:]*\).*/\1/p')
	[ -n "$pair" ] || fail "there is no pair for the host rings"
	ip netns exec $near timeout 10 tcpdump -lni e0 -c 3 icmp >"$work/seen-e0" 2>/dev/null &
	ip netns exec $near timeout 10 tcpdump -lni "$pair" -c 6 icmp >"$work/seen-pair" 2>/dev/null &
	sleep 0.5
	lossless $far 10.79.0.1 -c 5 -i 0.05
	for _ in $(seq 30); do
		[ "$(grep -c request "$work/seen-e0")" -ge 3 ] && grep -q reply "$work/seen-pair" && break
		sleep 0.1
	done
	[ "$(grep -c request "$work/seen-e0")" -ge 3 ] || fail "tcpdump on the interface sees nothing"
	grep -q request "$work/seen-pair" || fail "tcpdump on the pair does not see what the stack gets"
	grep -q reply "$work/seen-pair" || fail "tcpdump on the pair does not see what the stack sends"
	wait %% 2>/dev/null
}

netmapd_left()
{
	local pid
	pid=$(netmapd_pid)
	for _ in $(seq 100); do
		running "$pid" || return
		sleep 0.1
	done
	fail "netmapd is left behind"
}

# variant NAME [VARIABLE=VALUE ...]: drivers and ways to keep frames from the stack.
variant()
{
	variant=$1
	shift
	unset NETMAP_DRIVER NETMAP_INGRESS
	# shellcheck disable=SC2163
	for setting in "$@"; do export "$setting"; done
	rm -rf "$work/netmap"
	state >"$work/found"
	answers $near 10.79.0.2 || fail "no connection before anything runs"
}

through_bridge()
{
	step "bridge between the interface and its stack"
	start "$BRIDGE" -w 0 -i e0
	grep -q "buffers are exchanged" "$work/program.log" || fail "packets are copied"
	pings
	conversation
	transfer
	captures
	stop
	state_as_found "after bridge"
}

through_forwarding()
{
	step "forwarding"
	start "$FORWARD" "netmap:e0*"
	pings
	conversation
	transfer
	stop
	grep -q '^up [1-9][0-9]* down [1-9]' "$work/program.log" || fail "nothing was forwarded"
	state_as_found "after forwarding"
}

# Pings that the near stack has received.
pinged() { ip netns exec $near awk '/^Icmp: [0-9]/ { print $10 }' /proc/net/snmp; }

# from_elsewhere: pings to a stack whose answers nobody forwards.
from_elsewhere()
{
	local before
	before=$(pinged)
	ip netns exec $far ping -q -c 10 -i 0.02 -W 0.2 10.79.0.1 >/dev/null 2>&1
	[ $(($(pinged) - before)) -eq 10 ] || fail "$1: $(($(pinged) - before)) of 10 pings reached the stack"
}

# The host rings that frames go up through are another process's, which comes and goes.
through_others()
{
	local other
	step "forwarding up through another process's host rings"
	ip -n $far neigh replace 10.79.0.1 dev f0 lladdr "$(ip netns exec $near cat /sys/class/net/e0/address)"
	start "$FORWARD" "netmap:e0"
	for _ in 1 2 3; do
		ip netns exec $near "$PKT_GEN" -i netmap:e0^ -f rx -w 0 >"$work/pkt-gen.log" 2>&1 &
		other=$!
		for _ in $(seq 50); do
			ip -n $near -o link show | grep -q nmh && break
			sleep 0.1
		done
		sleep 0.3
		# The first frame may be the one by which the other is found.
		ip netns exec $far ping -q -c 2 -i 0.02 -W 0.2 10.79.0.1 >/dev/null 2>&1
		from_elsewhere "with host rings"
		kill -INT $other
		wait $other
		ip netns exec $far ping -q -c 3 -i 0.02 -W 0.2 10.79.0.1 >/dev/null 2>&1 && fail "answers without host rings"
	done
	stop
	ip -n $far neigh flush all
	state_as_found "after forwarding through another process"
}

killed()
{
	step "kill -9 of bridge"
	start "$BRIDGE" -w 0 -i e0
	lossless $near 10.79.0.2 -c 5 -i 0.01
	kill -9 $program_pid
	wait $program_pid 2>/dev/null
	state_as_found "after kill -9 of bridge"
	step "kill -9 of netmapd"
	start "$BRIDGE" -w 0 -i e0
	lossless $near 10.79.0.2 -c 5 -i 0.01
	local killed
	killed=$(netmapd_pid)
	kill -9 "$killed"
	for _ in $(seq 100); do
		running $program_pid || running "$killed" || break
		sleep 0.05
	done
	! running $program_pid || fail "bridge goes on without netmapd"
	wait $program_pid && fail "bridge says that all was well"
	program_pid=
	# Offloads are the one thing that waits for the next start.
	"$NETMAPD" -i 0 || fail "netmapd does not start again"
	state_as_found "after kill -9 of netmapd"
}

topology 1 || skip "network namespaces cannot be made"

variant "af_packet" NETMAP_DRIVER=afpacket
through_bridge
through_forwarding
through_others
killed
netmapd_left

variant "af_packet, clsact" NETMAP_DRIVER=afpacket NETMAP_INGRESS=clsact
through_bridge
killed
netmapd_left

variant "af_xdp" NETMAP_DRIVER=afxdp
through_bridge
through_forwarding
killed
netmapd_left

variant "af_xdp generic" NETMAP_DRIVER=afxdp-generic
# This mode cannot finish what the far end of a veth leaves undone.
ip netns exec $far ethtool -K f0 tx off tso off gso off >/dev/null
through_bridge
netmapd_left
ip netns exec $far ethtool -K f0 tx on tso on gso on >/dev/null

topology 2
variant "two queues, two host rings" NETMAP_DRIVER=afpacket
step "bridge between the interface and its stack"
start "$BRIDGE" -w 0 -v -i netmap:e0@conf:host-rings=2
grep -q "e0^.*: tx rings 2 to 3, rx rings 2 to 3" "$work/program.log" || { cat "$work/program.log"; fail "not two host rings"; }
pings
transfer
stop
state_as_found "after bridge"
echo ok
