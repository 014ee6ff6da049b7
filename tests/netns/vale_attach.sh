#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Network interfaces on a VALE switch, in three network namespaces in a line; the far ends keep their default offloads.
#
#	[left] l0 ---veth--- ml -- vale0 -- mr ---veth--- r0 [right]
#	10.79.0.1                [middle]                 10.79.0.2
#
# Nothing is lost in ping and replay, TCP runs, a program's port on the same switch sees broadcasts, netmapd stays as long as
# something is attached, and all is as it was when it is detached or gone.
# Environment: NETMAPD, VALE_CTL, PKT_GEN, REPLAY, NETMAP_CAPTURES; PORTS: how many at a time. Needs root.
set -u

skip() { echo "skipped: $*"; exit 77; }
fail() { echo "FAILED: $*" >&2; places >&2; exit 1; }

[ "$(id -u)" -eq 0 ] || skip "needs root, to make network namespaces"
[ ! -e /run/netmap/netmapd.sock ] || skip "the system's netmapd runs, and would serve the test"
for tool in ip tc ethtool iperf3 ping tcpdump; do
	command -v $tool >/dev/null || skip "there is no $tool"
done

left=nm-attach-$$-l middle=nm-attach-$$-m right=nm-attach-$$-r
. "$(dirname "$0")/lib.sh"
netns_begin $left $middle $right

# Where could it be? The counters of all places.
places()
{
	local ns
	for ns in $left $middle $right; do
		ip -n $ns -s link show | grep -v '^1:' | head -n 40
	done
	tail -n 30 "$log"
	ip netns exec $middle "$VALE_CTL" -v | head -n 60
}

step() { echo "--- $*"; }
ctl() { ip netns exec $middle "$VALE_CTL" "$@"; }

# refuses WHAT COMMAND...: it fails and says why.
refuses()
{
	local what=$1 out
	shift
	if out=$("$@" 2>&1); then
		fail "$what: it works"
	fi
	[ -n "$out" ] || fail "$what: no reason given"
}

topology()
{
	local ns
	for ns in $left $middle $right; do
		ip netns add $ns || return 1
		ip netns exec $ns sysctl -q -w net.ipv6.conf.default.disable_ipv6=1 2>/dev/null
		ip -n $ns link set lo up
	done
	ip link add l0 netns $left type veth peer name ml netns $middle || return 1
	ip link add r0 netns $right type veth peer name mr netns $middle || return 1
	ip -n $left addr add 10.79.0.1/24 dev l0
	ip -n $right addr add 10.79.0.2/24 dev r0
	ip -n $left link set l0 up
	ip -n $right link set r0 up
	ip -n $middle link set ml up
	ip -n $middle link set mr up
}

mtu_set()
{
	ip -n $left link set l0 mtu "$1"
	ip -n $middle link set ml mtu "$1"
	ip -n $middle link set mr mtu "$1"
	ip -n $right link set r0 mtu "$1"
}

# What netmapd could leave at the interfaces. Counters and queue lengths aside.
state()
{
	local dev
	for dev in ml mr; do
		ip -n $middle -d link show dev $dev | sed 's/ qlen [0-9]*//'
		ip netns exec $middle ethtool -k $dev
		ip netns exec $middle tc qdisc show dev $dev
		ip netns exec $middle tc filter show dev $dev ingress
		ip netns exec $middle tc filter show dev $dev egress
	done 2>&1
	ip netns exec $middle cat /proc/net/packet | awk 'NR > 1 { print $3, $5 }'
}

# state_as_found: within a few seconds, what holds an interface's state ends in the background.
state_as_found()
{
	for _ in $(seq 50); do
		state >"$work/now"
		cmp -s "$work/found" "$work/now" && return
		sleep 0.1
	done
	diff "$work/found" "$work/now" >&2
	fail "$1: the interfaces are not as they were"
}

# lossless NAMESPACE ADDRESS PING-OPTIONS
lossless() { ping_all "$@" || fail "ping $*"; }

answers() { ip netns exec "$1" ping -q -c 2 -i 0.2 -W 1 "$2" >/dev/null 2>&1; }

tcp()
{
	local direction server
	for direction in "" -R; do
		ip netns exec $right iperf3 -s -1 >/dev/null 2>&1 &
		server=$!
		sleep 0.5
		# shellcheck disable=SC2086
		ip netns exec $left timeout 20 iperf3 -c 10.79.0.2 -t 2 $direction >"$work/iperf" 2>&1 ||
			{ cat "$work/iperf" >&2; fail "iperf3"; }
		wait $server
		sed -n 's/.* \([0-9.]* [KMG]bits\/sec\) .*receiver.*/    \1/p' "$work/iperf"
		grep -q ' [1-9][0-9.]* [KMG]bits/sec .*receiver' "$work/iperf" ||
			{ cat "$work/iperf" >&2; fail "no TCP traffic"; }
	done
}

replays()
{
	local files file out
	files=$(ls "$NETMAP_CAPTURES"/*.pcap 2>/dev/null)
	if [ -z "$files" ]; then
		ip netns exec $left timeout 10 tcpdump -q -i l0 -c 60 -w "$work/own.pcap" >/dev/null 2>&1 &
		sleep 1
		lossless $left 10.79.0.2 -c 40 -i 0.02 -s 1000
		wait $!
		files=$work/own.pcap
	fi
	for file in $files; do
		out=$("$REPLAY" -g "$1" "$2" "$3" "$4" "$file" 2>&1) ||
			{ echo "$out" >&2; fail "replay of $(basename "$file")"; }
		echo "    $(basename "$file"): $(tail -n 1 <<<"$out")"
	done
}

threads() { grep -l '^netmap-' /proc/"$(netmapd_pid)"/task/*/comm 2>/dev/null | wc -l; }

# detached_by_itself NAME
detached_by_itself()
{
	for _ in $(seq 50); do
		ctl -l "$1" >/dev/null 2>&1 || return 0
		sleep 0.1
	done
	fail "$1 is still there"
}

topology || fail "network namespaces cannot be made"
state >"$work/found"
! answers $left 10.79.0.2 || fail "left and right are connected without a switch"

step "attach"
refuses "an interface that is not there" ctl -a vale0:nothing
refuses "no switch" ctl -a ml
ctl -a vale0:ml || fail "attaching ml"
ctl -a vale0:mr || fail "attaching mr"
refuses "a second time" ctl -a vale0:ml
refuses "on a second switch" ctl -a vale1:ml
refuses "the interface itself" ip netns exec $middle "$PKT_GEN" -i netmap:ml -f rx -w 0
refuses "its port" ip netns exec $middle "$PKT_GEN" -i vale0:ml -f rx -w 0
ctl -v -l vale0: | grep -q 'vale0:ml' || fail "vale-ctl does not list vale0:ml"
[ "$(threads)" -ge 1 ] || fail "no worker"
daemon=$(netmapd_pid)

step "ping, both ways"
lossless $left 10.79.0.2 -c 100 -i 0.01
lossless $right 10.79.0.1 -c 100 -i 0.01
lossless $left 10.79.0.2 -c 50 -i 0.01 -s 1472
lossless $left 10.79.0.2 -c 50 -i 0.01 -s 20000

step "TCP"
tcp

step "captures, left to right and right to left"
replays $left l0 $right r0
NETMAP_CAPTURES=$work/none replays $right r0 $left l0 >/dev/null

step "a program's port hears broadcasts"
timeout 30 "$PKT_GEN" -i vale0:third -f rx -n 3 -w 0 >"$work/third" 2>&1 &
third=$!
sleep 0.5
for _ in 1 2 3; do
	ip -n $left neigh flush dev l0
	answers $left 10.79.0.99
done
wait $third || fail "pkt-gen on the switch: $(cat "$work/third")"
grep -q 'Received 3 packets' "$work/third" || fail "pkt-gen on the switch heard nothing"

step "it stays when nobody has netmap open"
sleep 6
[ "$(netmapd_pid)" = "$daemon" ] && running "$daemon" || fail "netmapd has left"
lossless $left 10.79.0.2 -c 20 -i 0.01

step "polling"
cpus=$(nproc)
refuses "polling of what is not attached" ctl -p vale0:x
refuses "stopping what was not begun" ctl -P vale0:ml
refuses "all CPUs" ctl -p vale0:ml -C "1,0,$cpus"
if [ "$cpus" -gt 1 ]; then
	ctl -p vale0:ml -C 0,$((cpus - 1)) || fail "polling"
	refuses "detaching while it is polled" ctl -d vale0:ml
	poller=$(grep -l netmap-poll /proc/"$daemon"/task/*/comm | head -n 1)
	grep -q "^Cpus_allowed_list:[[:space:]]*$((cpus - 1))$" "${poller%comm}status" || fail "not on the CPU asked for"
	lossless $left 10.79.0.2 -c 50 -i 0.01
	lossless $right 10.79.0.1 -c 50 -i 0.01 -s 8000
	ctl -P vale0:ml || fail "stopping to poll"
	lossless $left 10.79.0.2 -c 20 -i 0.01
fi

step "detach under load"
ip netns exec $right iperf3 -s -1 >/dev/null 2>&1 &
sleep 0.5
ip netns exec $left timeout 8 iperf3 -c 10.79.0.2 -t 4 >"$work/iperf" 2>&1 &
load=$!
sleep 0.7
for _ in 1 2 3 4 5; do
	ctl -d vale0:ml || fail "detaching ml under load"
	ctl -a vale0:ml || fail "attaching ml again"
	sleep 0.2
done
wait $load
running "$daemon" || fail "netmapd is gone"
lossless $left 10.79.0.2 -c 20 -i 0.01
ctl -d vale0:ml || fail "detaching ml"
ctl -d vale0:mr || fail "detaching mr"
refuses "detaching twice" ctl -d vale0:mr
state_as_found "after detaching"
[ "$(threads)" -eq 0 ] || fail "workers are left"
! answers $left 10.79.0.2 || fail "left and right are still connected"

step "captures, large frames"
mtu_set 9000
ctl -a vale0:ml && ctl -a vale0:mr || fail "attaching again"
replays $left l0 $right r0
lossless $right 10.79.0.1 -c 50 -i 0.01 -s 8900
ctl -d vale0:ml && ctl -d vale0:mr || fail "detaching"
mtu_set 1500

step "an interface goes down, comes up, goes away"
ctl -a vale0:ml && ctl -a vale0:mr || fail "attaching again"
lossless $left 10.79.0.2 -c 10 -i 0.01
ip -n $middle link set mr down
sleep 0.5
ip -n $middle link set mr up
for _ in $(seq 20); do
	answers $left 10.79.0.2 && break
done
lossless $left 10.79.0.2 -c 10 -i 0.01
ip -n $middle link del mr
detached_by_itself vale0:mr
grep -q 'vale0:mr.*gone' "$log" || fail "no line in the log"
ip link add r0 netns $right type veth peer name mr netns $middle
ip -n $right addr add 10.79.0.2/24 dev r0
ip -n $right link set r0 up
ip -n $middle link set mr up
ctl -a vale0:mr || fail "attaching the new mr"
ip -n $left neigh flush dev l0
lossless $left 10.79.0.2 -c 20 -i 0.01
ctl -d vale0:ml && ctl -d vale0:mr || fail "detaching"

step "with the host's side"
if ctl -h vale0:ml 2>"$work/host"; then
	ip -n $middle addr add 10.79.0.3/24 dev ml
	ctl -a vale0:mr || fail "attaching mr"
	lossless $left 10.79.0.3 -c 30 -i 0.01
	lossless $right 10.79.0.3 -c 30 -i 0.01
	lossless $left 10.79.0.2 -c 30 -i 0.01
	ctl -d vale0:ml && ctl -d vale0:mr || fail "detaching"
	ip -n $middle addr del 10.79.0.3/24 dev ml
else
	echo "    left out: $(cat "$work/host")"
fi
state >"$work/found"

ports=${PORTS:-100}
step "$ports interfaces"
for i in $(seq "$ports"); do
	echo "link add d$i type veth peer name e$i"
	echo "link set d$i up"
	echo "link set e$i up"
done | ip -n $middle -b - || fail "so many interfaces cannot be made"
for i in $(seq "$ports"); do
	ctl -a vale0:d$i || fail "attaching d$i"
done
[ "$(threads)" -eq $(((cpus + 1) / 2)) ] || fail "$(threads) workers on $cpus CPUs"
ctl -a vale0:ml && ctl -a vale0:mr || fail "attaching ml and mr besides"
lossless $left 10.79.0.2 -c 50 -i 0.01
for i in $(seq "$ports"); do
	ctl -d vale0:d$i || fail "detaching d$i"
done
lossless $left 10.79.0.2 -c 20 -i 0.01
ctl -d vale0:ml && ctl -d vale0:mr || fail "detaching"
state_as_found "at the end"

step "and netmapd leaves"
daemon=$(netmapd_pid)
for _ in $(seq 150); do
	running "$daemon" || break
	sleep 0.1
done
! running "$daemon" || fail "netmapd is left behind"
echo ok
