#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# bridge(8) between two real interfaces, in three network namespaces in a line; the far ends keep their default
# offloads.
#
#	[left] l0 ---veth--- ml [middle: bridge] mr ---veth--- r0 [right]
#	10.78.0.1               10.78.0.3                      10.78.0.2
#
# Nothing is lost in ping and replay, TCP runs, the middle's own stack stays out of it, and all is as it was when
# bridge or netmapd end, whatever the way.
# Environment: NETMAPD, BRIDGE, REPLAY, VALE_CTL, NETMAP_CAPTURES. Needs root.
set -u

skip() { echo "skipped: $*"; exit 77; }
fail() { echo "FAILED: $*" >&2; cat "$work"/*.log >&2 2>/dev/null; exit 1; }

[ "$(id -u)" -eq 0 ] || skip "needs root, to make network namespaces"
[ ! -e /run/netmap/netmapd.sock ] || skip "the system's netmapd runs, and would serve the test"
for tool in ip tc ethtool iperf3 ping tcpdump; do
	command -v $tool >/dev/null || skip "there is no $tool"
done

left=nm-test-$$-l middle=nm-test-$$-m right=nm-test-$$-r
. "$(dirname "$0")/lib.sh"
netns_begin $left $middle $right
bridge_pid=

# Where could it be? The counters of all places.
places()
{
	local ns
	for ns in $left $middle $right; do
		ip -n $ns -s link show | grep -v '^1:'
		ip -n $ns neigh show
	done
	grep . "$work"/bridge.log
	[ ! -x "$VALE_CTL" ] || ip netns exec $middle "$VALE_CTL" -v
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
	ip -n $left addr add 10.78.0.1/24 dev l0
	ip -n $right addr add 10.78.0.2/24 dev r0
	ip -n $middle addr add 10.78.0.3/24 dev ml
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

# What bridge and netmapd could leave at the interfaces. Counters and queue lengths aside.
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
	local n
	for n in $(seq 50); do
		state >"$work/now"
		cmp -s "$work/found" "$work/now" && return
		sleep 0.1
	done
	diff "$work/found" "$work/now" >&2
	fail "$1: the interfaces are not as they were"
}

bridge_start()
{
	ip netns exec $middle "$BRIDGE" -w 0 -i netmap:ml -i netmap:mr >>"$work/bridge.log" 2>&1 &
	bridge_pid=$!
	for _ in $(seq 100); do
		running $bridge_pid || fail "bridge has ended"
		# It prints what it does when both ports are open.
		grep -q -- '-> netmap:ml' "$work/bridge.log" && break
		sleep 0.05
	done
	sleep 0.2
}

bridge_stop()
{
	kill -INT $bridge_pid
	wait $bridge_pid || fail "bridge, with status $?"
	bridge_pid=
	: >"$work/bridge.log"
}

# lossless NAMESPACE ADDRESS PING-OPTIONS
lossless()
{
	ping_all "$@" || { places >&2; fail "ping $*"; }
}

netmapd_left()
{
	local pid
	pid=$(netmapd_pid)
	for _ in $(seq 100); do
		running "$pid" || return 0
		sleep 0.1
	done
	fail "netmapd is left behind"
}

answers() { ip netns exec "$1" ping -q -c 2 -i 0.2 -W 1 "$2" >/dev/null 2>&1; }

# replays NAMESPACE INTERFACE NAMESPACE INTERFACE [PATTERN...]: captures of these names, or all.
replays()
{
	local dir=$NETMAP_CAPTURES files file from=("${@:1:4}")
	shift 4
	# shellcheck disable=SC2046
	files=$(cd "$dir" 2>/dev/null && ls -d $(printf "$dir/%s.pcap " "${@:-*}") 2>/dev/null)
	if [ -z "$files" ]; then
		ip netns exec $left timeout 10 tcpdump -q -i l0 -c 60 -w "$work/own.pcap" >/dev/null 2>&1 &
		sleep 1
		lossless $left 10.78.0.2 -c 40 -i 0.02 -s 1000
		wait $!
		files=$work/own.pcap
	fi
	for file in $files; do
		local out
		out=$("$REPLAY" "${from[@]}" "$file" 2>&1) ||
			{ echo "$out" >&2; fail "replay of $(basename "$file")"; }
		echo "    $(basename "$file"): $(tail -n 1 <<<"$out")"
	done
}

topology || fail "network namespaces cannot be made"
state >"$work/found"
answers $left 10.78.0.3 || fail "the middle does not answer before bridge runs"
! answers $left 10.78.0.2 || fail "left and right are connected without bridge"

step "ping, both ways"
bridge_start
lossless $left 10.78.0.2 -c 100 -i 0.01
lossless $right 10.78.0.1 -c 100 -i 0.01
lossless $left 10.78.0.2 -c 50 -i 0.01 -s 1472
lossless $left 10.78.0.2 -c 50 -i 0.01 -s 20000

step "the middle's stack does not answer"
! answers $left 10.78.0.3 || fail "it answers"
# Not either to who knows its address.
ip -n $left neigh replace 10.78.0.3 dev l0 lladdr "$(ip netns exec $middle cat /sys/class/net/ml/address)"
! answers $left 10.78.0.3 || fail "it answers when it is spoken to directly"

step "TCP"
for direction in "" -R; do
	ip netns exec $right iperf3 -s -1 >/dev/null 2>&1 &
	server=$!
	sleep 0.5
	# shellcheck disable=SC2086
	ip netns exec $left timeout 20 iperf3 -c 10.78.0.2 -t 3 $direction >"$work/iperf" 2>&1 ||
		{ cat "$work/iperf" >&2; fail "iperf3"; }
	wait $server
	sed -n 's/.* \([0-9.]* [KMG]bits\/sec\) .*receiver.*/    \1/p' "$work/iperf"
	grep -q ' [1-9][0-9.]* [KMG]bits/sec .*receiver' "$work/iperf" ||
		{ cat "$work/iperf" >&2; fail "no TCP traffic"; }
done

step "captures, left to right and right to left"
replays $left l0 $right r0
NETMAP_CAPTURES=$work/none replays $right r0 $left l0 >/dev/null
bridge_stop
state_as_found "after bridge"
answers $left 10.78.0.3 || fail "the middle does not answer after bridge"

step "captures, large frames"
mtu_set 9000
bridge_start
replays $left l0 $right r0
lossless $right 10.78.0.1 -c 50 -i 0.01 -s 8900
bridge_stop
mtu_set 1500
state_as_found "after bridge, with a large MTU"

step "captures, other sizes of buffers"
mtu_set 9000
for size in 2176 4096 9216; do
	netmapd_left
	echo "buf_size = $size" >"$work/netmap/netmapd.conf"
	bridge_start
	"$VALE_CTL" -o buf_curr_size | grep -q "$size" || fail "the buffers are not of $size bytes"
	replays $left l0 $right r0 'pgsql*' 'vlan*'
	lossless $right 10.78.0.1 -c 50 -i 0.01 -s 8900
	bridge_stop
done
mtu_set 1500
rm "$work/netmap/netmapd.conf"
netmapd_left

step "kill -9 of bridge"
bridge_start
lossless $left 10.78.0.2 -c 20 -i 0.01
kill -9 $bridge_pid
wait $bridge_pid 2>/dev/null
state_as_found "after kill -9 of bridge"
answers $left 10.78.0.3 || fail "the middle does not answer"

step "kill -9 of netmapd"
: >"$work/bridge.log"
bridge_start
lossless $left 10.78.0.2 -c 20 -i 0.01
pid=$(netmapd_pid)
kill -9 "$pid"
for _ in $(seq 100); do
	running $bridge_pid || running "$pid" || break
	sleep 0.05
done
! running $bridge_pid || fail "bridge goes on without netmapd"
wait $bridge_pid && fail "bridge says that all was well"
bridge_pid=
# Offloads are the one thing that waits for the next start.
"$NETMAPD" -i 0 || fail "netmapd does not start again"
state_as_found "after kill -9 of netmapd"
answers $left 10.78.0.3 || fail "the middle does not answer"

step "and again, as if nothing had been"
: >"$work/bridge.log"
bridge_start
lossless $left 10.78.0.2 -c 20 -i 0.01
bridge_stop
state_as_found "at the end"
netmapd_left
[ ! -e "$work/netmap/netmapd.sock" ] || fail "netmapd's socket is left behind"
echo ok
