#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Host rings: programs between an interface and its own stack. Two network namespaces; the far end keeps its default
# offloads.
#
#	[near: stack <-> bridge -i e0 <-> e0] ---veth--- [f0: far]
#	 10.79.0.1, fd79:0::1                             10.79.0.2, fd79:0::2
#	 and 10.79.5.1, fd79:5::1 on e0.5                 .2, ::2 on f0.5
#
# ARP, ping and TCP run through bridge(8) and through forwarding, both ways, with each driver, over IPv6 and VLANs as well;
# tcpdump shows what there is; the MTU changes meanwhile; and all is as it was when they or netmapd end, whatever the way.
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
	end_up $near e0 1
	end_up $far f0 2
}

# end_up NAMESPACE INTERFACE HOST: with addresses, and a VLAN interface on top, if the kernel has such.
end_up()
{
	ip -n "$1" link set "$2" up
	addresses_add "$1" "$2" 0 "$3"
	vlans=
	ip -n "$1" link add link "$2" name "$2.5" type vlan id 5 2>/dev/null || return 0
	vlans=1
	ip -n "$1" link set "$2.5" up
	addresses_add "$1" "$2.5" 5 "$3"
}

# addresses_add NAMESPACE INTERFACE NET HOST: no other IPv6 address comes by itself.
addresses_add()
{
	ip netns exec "$1" sysctl -q -w "net/ipv6/conf/$2/addr_gen_mode=1" "net/ipv6/conf/$2/disable_ipv6=0"
	ip -n "$1" addr add "10.79.$3.$4/24" dev "$2"
	ip -n "$1" addr add "fd79:$3::$4/64" dev "$2" nodad
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
	ping_all "$@" || { traces >&2; fail "ping $*"; }
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

# Neighbour discovery, ping and TCP, also inside a VLAN, whose tag must survive both ways for an answer to come.
families()
{
	local ns
	for ns in $near $far; do ip -n $ns neigh flush all; ip -6 -n $ns neigh flush all; done
	lossless $near fd79:0::2 -6 -c 10 -i 0.01
	lossless $far fd79:0::1 -6 -c 10 -i 0.01 -s 4000
	transfer fd79:0::2
	[ -n "$vlans" ] || { echo "    VLANs left out: this kernel has no interfaces for them"; return; }
	lossless $near 10.79.5.2 -c 10 -i 0.01 -s 1472
	lossless $far 10.79.5.1 -c 10 -i 0.01
	lossless $near fd79:5::2 -6 -c 10 -i 0.01
	transfer 10.79.5.2
	transfer fd79:5::2
}

mtu_set()
{
	ip -n $near link set e0 mtu "$1" && ip -n $far link set f0 mtu "$1" || fail "the MTU cannot be set"
	[ -z "$vlans" ] || { ip -n $near link set e0.5 mtu "$1" && ip -n $far link set f0.5 mtu "$1"; }
}

# The MTU grows and shrinks while host rings are open.
mtu_changes()
{
	local mtu
	for mtu in 9000 1280 1500; do
		mtu_set $mtu
		for _ in $(seq 50); do grep -q "its MTU is $mtu now" "$log" && break; sleep 0.05; done
		lossless $near 10.79.0.2 -c 5 -i 0.02 -M do -s $((mtu - 28))
		lossless $far 10.79.0.1 -c 5 -i 0.02 -M do -s $((mtu - 28))
		[ -z "$vlans" ] || lossless $far 10.79.5.1 -c 5 -i 0.02 -M do -s $((mtu - 28))
		transfer 10.79.0.2
	done
}

# listened NAMESPACE PORT: somebody does, within five seconds.
listened()
{
	local _
	for _ in $(seq 100); do
		ip netns exec "$1" cat /proc/net/tcp /proc/net/tcp6 | grep -q ":$(printf %04X "$2") .* 0A " && return
		sleep 0.05
	done
	fail "nobody listens at port $2"
}

conversation()
{
	local server
	ip netns exec $near "$TALK" listen 2222 &
	server=$!
	listened $near 2222
	ip netns exec $far "$TALK" 10.79.0.1 2222 200 || fail "a TCP session from the far end"
	wait $server || fail "a TCP session, at the near end"
	ip netns exec $far "$TALK" listen 2222 &
	server=$!
	listened $far 2222
	ip netns exec $near "$TALK" 10.79.0.2 2222 200 || fail "a TCP session to the far end"
	wait $server || fail "a TCP session, at the far end"
}

# transfer ADDRESS: TCP both ways.
transfer()
{
	local server direction
	for direction in "" -R; do
		ip netns exec $far iperf3 -s -1 >/dev/null 2>&1 &
		server=$!
		listened $far 5201
		# shellcheck disable=SC2086
		ip netns exec $near timeout 20 iperf3 -c "$1" -n 10M $direction >"$work/iperf" 2>&1 ||
			{ cat "$work/iperf" >&2; fail "iperf3"; }
		wait $server
		sed -n 's/.* \([0-9.]* [KMG]bits\/sec\) .*receiver.*/    \1/p' "$work/iperf"
		grep -q ' [1-9][0-9.]* [KMG]bits/sec .*receiver' "$work/iperf" ||
			{ cat "$work/iperf" >&2; fail "no TCP traffic"; }
	done
}

# What the stack gets, and what it sends, is seen on the interface, the latter as received; and on the near end of the pair.
captures()
{
	local pair at pids= answers=5
	[ -z "$vlans" ] || answers=10
	pair=$(ip -n $near -o link show | sed -n 's/^[0-9]*: \(nmh[^@:]*\).*/\1/p')
	[ -n "$pair" ] || fail "there is no pair for the host rings"
	for at in e0 "$pair"; do
		ip netns exec $near timeout 20 tcpdump -Ulni "$at" "(icmp or icmp6) and (vlan 5 or not vlan)" >"$work/seen-$at" 2>"$work/seen-$at.err" &
		pids="$pids $!"
	done
	for at in e0 "$pair"; do
		for _ in $(seq 100); do grep -q listening "$work/seen-$at.err" && break; sleep 0.05; done
	done
	lossless $far 10.79.0.1 -c 5 -i 0.05
	[ -z "$vlans" ] || lossless $near 10.79.5.2 -c 5 -i 0.05
	for _ in $(seq 60); do
		[ "$(grep -c reply "$work/seen-e0")" -ge $answers ] && [ "$(grep -c reply "$work/seen-$pair")" -ge $answers ] && break
		sleep 0.05
	done
	# shellcheck disable=SC2086
	kill $pids
	# shellcheck disable=SC2086
	wait $pids 2>/dev/null
	for at in e0 "$pair"; do
		[ "$(grep -c '10.79.0.2 > 10.79.0.1: ICMP echo request' "$work/seen-$at")" -ge 5 ] || fail "tcpdump on $at does not see what the stack gets"
		[ "$(grep -c '10.79.0.1 > 10.79.0.2: ICMP echo reply' "$work/seen-$at")" -eq 5 ] || fail "tcpdump on $at does not see once what the stack sends"
		[ -n "$vlans" ] || continue
		[ "$(grep -c '10.79.5.2 > 10.79.5.1: ICMP echo reply' "$work/seen-$at")" -ge 5 ] || fail "tcpdump on $at does not see what the stack gets in a VLAN"
		[ "$(grep -c '10.79.5.1 > 10.79.5.2: ICMP echo request' "$work/seen-$at")" -eq 5 ] || fail "tcpdump on $at does not see once what the stack sends in a VLAN"
	done
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
	transfer 10.79.0.2
	families
	captures
	mtu_changes
	stop
	state_as_found "after bridge"
}

through_forwarding()
{
	step "forwarding"
	start "$FORWARD" "netmap:e0*"
	pings
	conversation
	transfer 10.79.0.2
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
transfer 10.79.0.2
stop
state_as_found "after bridge"
echo ok
