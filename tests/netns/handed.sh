#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# netmapd outside of the programs' network namespaces, and without the privilege to enter them: the programs make the sockets, and netmapd drives
# the interfaces with those.
#
#	[left] l0 ---veth--- ml [middle: bridge] mr ---veth--- r0 [right]		netmapd: in none of them, without CAP_SYS_ADMIN
#	10.78.0.1               10.78.0.3                      10.78.0.2
#
# Environment: NETMAPD, HOLD, BRIDGE, REPLAY, VALE_CTL, NETMAP_CAPTURES. Needs root.
set -u

skip() { echo "skipped: $*"; exit 77; }
fail() { echo "FAILED: $*" >&2; tail -n 20 "$work"/*.log "$log" >&2 2>/dev/null; exit 1; }

[ "$(id -u)" -eq 0 ] || skip "needs root, to make network namespaces"
[ ! -e /run/netmap/netmapd.sock ] || skip "the system's netmapd runs, and would serve the test"
for tool in ip setpriv ethtool ping tc; do
	command -v $tool >/dev/null || skip "there is no $tool"
done

left=nm-test-$$-l middle=nm-test-$$-m right=nm-test-$$-r outside=nm-test-$$-o
. "$(dirname "$0")/lib.sh"
netns_begin $left $middle $right $outside
unset NETMAP_DRIVER NETMAP_SETNS NETMAP_INGRESS
in_middle="ip netns exec $middle"

for ns in $left $middle $right $outside; do
	ip netns add $ns || skip "network namespaces cannot be made here"
	ip netns exec $ns sysctl -q -w net.ipv6.conf.default.disable_ipv6=1 2>/dev/null
done
ip link add l0 netns $left type veth peer name ml netns $middle || skip "there are no veth pairs"
ip link add r0 netns $right type veth peer name mr netns $middle || fail "no veth pair"
ip -n $left addr add 10.78.0.1/24 dev l0
ip -n $right addr add 10.78.0.2/24 dev r0
ip -n $middle addr add 10.78.0.3/24 dev ml
ip -n $left link set l0 up
ip -n $right link set r0 up
ip -n $middle link set ml up
ip -n $middle link set mr up

descriptors() { ls "/proc/$(netmapd_pid)/fd" | wc -l; }

# within TEST...: it holds within five seconds.
within() { for _ in $(seq 100); do "$@" && return; sleep 0.05; done; return 1; }
gone() { ! running "$1"; }

state()
{
	local dev
	for dev in ml mr; do
		ip -n $middle -d link show dev $dev | sed 's/ qlen [0-9]*//'
		$in_middle ethtool -k $dev
		$in_middle tc qdisc show dev $dev
	done 2>&1
}
as_found() { state >"$work/now"; cmp -s "$work/found" "$work/now"; }

stop()
{
	local pid
	pid=$(netmapd_pid)
	kill "$pid"
	within gone "$pid" || fail "netmapd does not end"
}

# held PORT COMMAND...: it can be opened in the middle namespace, by the program run through COMMAND.
held()
{
	local port=$1 pid found=1
	shift
	$in_middle "$@" "$HOLD" "$port" >"$work/hold.log" 2>&1 &
	pid=$!
	for _ in $(seq 100); do
		grep -qsx open "$work/hold.log" && found=0 && break
		running $pid || break
		sleep 0.05
	done
	kill -9 $pid 2>/dev/null
	wait $pid 2>/dev/null
	return $found
}

bridge_start()
{
	: >"$work/bridge.log"
	$in_middle "$BRIDGE" -w 0 -i netmap:ml -i netmap:mr >>"$work/bridge.log" 2>&1 &
	bridge=$!
	within grep -q -- '-> netmap:ml' "$work/bridge.log" || fail "bridge does not run"
}

lossless() { ping_all "$1" "$2" -c 50 -i 0.01 -s "$3" || fail "ping $2"; }

state >"$work/found"

step "without CAP_SYS_ADMIN"
setpriv --bounding-set -sys_admin --inh-caps -sys_admin "$NETMAPD" -i 300 || fail "netmapd does not start"
(( 0x$(sed -n 's/^CapEff:\s*//p' "/proc/$(netmapd_pid)/status") & 1 << 21 )) && fail "netmapd has CAP_SYS_ADMIN"
bridge_start
grep -q 'port ml: interface opened, af_packet, ingress drop: clsact.*may not enter' "$log" || fail "the log does not say why it is packet sockets"
$in_middle "$VALE_CTL" -v | grep -q 'may not enter' || fail "vale-ctl does not say why"
lossless $left 10.78.0.2 56
lossless $right 10.78.0.1 20000
! ip netns exec $left ping -q -c 2 -i 0.2 -W 1 10.78.0.3 >/dev/null || fail "the middle's stack answers"
for file in "$NETMAP_CAPTURES"/{tls,vlan,vlan-2,vxlan}.pcap; do
	[ -e "$file" ] || continue
	"$REPLAY" $left l0 $right r0 "$file" >"$work/replay.log" 2>&1 || fail "replay of $(basename "$file")"
	echo "    $(basename "$file"): $(tail -n 1 "$work/replay.log")"
done

step "another program opens the same interface, and one of no interface"
held netmap:ml || fail "a second program cannot open the interface"
held vale0:x || fail "a port of a switch cannot be opened"
held netmap:none{1 || fail "a pipe cannot be opened"
held netmap:none && fail "an interface that is not there was opened"
held netmap:ml^ && fail "host rings were opened"
grep -q CAP_SYS_ADMIN "$work/hold.log" || fail "the reason is not told: $(cat "$work/hold.log")"
held netmap:mr setpriv --bounding-set -net_raw --inh-caps -net_raw && fail "a program without CAP_NET_RAW has opened an interface"
grep -q 'CAP_NET_RAW' "$work/hold.log" || fail "the missing capability is not told: $(cat "$work/hold.log")"
lossless $left 10.78.0.2 56

step "persistent ports"
vale_ctl() { $in_middle "$VALE_CTL" "$@" >>"$work/vale-ctl.log" 2>&1; }
vale_ctl -n per0 || fail "a persistent port cannot be made"
vale_ctl -n per0 && fail "it can be made twice"
vale_ctl -n ml && fail "a persistent port has an interface's name"
vale_ctl -a vale1:per0 || fail "it cannot be attached"
vale_ctl -a vale1:per0 && fail "it can be attached twice"
vale_ctl -a vale1:none && fail "an interface that is not there can be attached"
vale_ctl -d vale1:per0 || fail "it cannot be detached"
vale_ctl -r per0 || fail "it cannot be removed"

step "kill -9 of bridge"
kill -9 $bridge
wait $bridge 2>/dev/null
within as_found || { diff "$work/found" "$work/now" >&2; fail "the interfaces are not as they were"; }
ip -n $left neigh flush all
answers() { ip netns exec $left ping -q -c 1 -W 1 10.78.0.3 >/dev/null; }
within answers || fail "the middle's stack does not answer"

step "an interface on a switch"
vale_ctl -a vale1:ml || fail "it cannot be attached"
vale_ctl -a vale1:ml && fail "it can be attached twice"
held netmap:ml && fail "it can be opened beside"
vale_ctl -a vale1:mr || fail "the other cannot be attached"
lossless $left 10.78.0.2 56
vale_ctl -d vale1:mr && vale_ctl -d vale1:ml || fail "they cannot be detached"
within as_found || { diff "$work/found" "$work/now" >&2; fail "the interfaces are not as they were"; }

step "nothing is left open"
before=$(descriptors)
for _ in 1 2 3 4 5; do held netmap:ml || fail "it cannot be opened again"; done
few() { [ "$(descriptors)" -le "$before" ]; }
within few || fail "netmapd had $before descriptors, and has $(descriptors)"

step "an interface is deleted while it is in use"
bridge_start
ip -n $middle link del mr
within gone $bridge || fail "bridge goes on without the interface"
wait $bridge 2>/dev/null
within few || fail "netmapd had $before descriptors, and has $(descriptors)"
stop

step "netmapd was killed, and its own namespace has an interface of that name and number"
ip -n $outside link add ml index "$(ip -n $middle -o link show dev ml | cut -d: -f1)" type veth peer name other index 1000 || fail "no veth pair"
ip -n $outside link set ml up
ip -n $outside link set other up
without="ip netns exec $outside setpriv --bounding-set -sys_admin --inh-caps -sys_admin"
$in_middle ethtool -K ml gro on
ip netns exec $outside ethtool -K ml gro on
outside_state() { ip -n $outside -d link show dev ml; ip netns exec $outside ethtool -k ml; ip netns exec $outside tc qdisc show dev ml; }
ml_gro() { $in_middle ethtool -k ml | grep -q "generic-receive-offload: $1"; }
outside_state >"$work/outside"
state >"$work/found"
$without "$NETMAPD" -i 300 || fail "netmapd does not start"
$in_middle "$HOLD" netmap:ml >"$work/first.log" 2>&1 &
first=$!
within grep -qsx open "$work/first.log" || fail "the interface cannot be opened"
pid=$(netmapd_pid)
kill -9 "$pid" $first
within gone "$pid" || fail "netmapd lives on"
wait $first 2>/dev/null
ml_gro off || fail "nothing is left to restore"
$without "$NETMAPD" -i 300 || fail "netmapd does not start again"
grep -q 'ml was left changed.*cannot be entered' "$log" || fail "it does not say what it cannot restore"
$in_middle "$HOLD" netmap:ml >"$work/second.log" 2>&1 &
second=$!
within grep -qsx open "$work/second.log" || fail "the interface cannot be opened after that"
grep 'port ml: interface opened' "$log" | tail -n 1 | grep -q 'af_packet.*may not enter' || fail "it works in its own namespace"
outside_state | diff "$work/outside" - >&2 || fail "the interface of its own namespace was taken"
ml_gro off || fail "the offloads are on"
kill -9 $second
wait $second 2>/dev/null
within as_found || { diff "$work/found" "$work/now" >&2; fail "the interface is not as it was before the first"; }
stop

step "NETMAP_SETNS=no"
NETMAP_SETNS=no "$NETMAPD" -i 300 || fail "netmapd does not start"
held netmap:ml || fail "the interface cannot be opened"
grep 'port ml: interface opened' "$log" | tail -n 1 | grep -q 'may not enter' || fail "it was entered"
stop

step "with the privilege"
"$NETMAPD" -i 300 || fail "netmapd does not start"
held netmap:ml || fail "the interface cannot be opened"
grep 'port ml: interface opened' "$log" | tail -n 1 | grep -q 'may not enter' && fail "it was not entered"
stop
echo ok
