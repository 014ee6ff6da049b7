#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# make demo: netmap at work on this machine, without a kernel module.
#
#	pkt-gen -- vale0:a -- switch -- vale0:b -- pkt-gen		60 and 1500 bytes
#	pkt-gen -- demo{1 ---- pipe ---- demo}1 -- pkt-gen		60 and 1500 bytes
#
#	[left] l0 ---veth--- ml [middle: bridge] mr ---veth--- r0 [right]
#	10.77.0.1							10.77.0.2
#
# Needs root, for the network namespaces. Exit status 0 only if everything worked; leaves nothing behind.
set -u
cd "$(dirname "$0")/.."
build=$(cd "${BUILD:-build}" && pwd) || exit 1
pktgen=$build/apps/pkt-gen/pkt-gen
bridge=$build/apps/bridge/bridge
replay=$build/tests/netns/replay
seconds=${DEMO_SECONDS:-4}
left=nm-demo-left middle=nm-demo-mid right=nm-demo-right
rows=() failures=0

if [ "$(id -u)" -ne 0 ]; then
	echo "make demo needs root: it makes network namespaces. As an ordinary user, see the README's first steps." >&2
	exit 1
fi

# A netmapd of our own, which leaves with the last program that uses it.
work=$(mktemp -d)
export XDG_RUNTIME_DIR=$work
unset NETMAP_SOCKET

namespaces_remove()
{
	local ns
	for ns in $left $middle $right; do
		ip netns pids $ns 2>/dev/null | xargs -r kill -9 2>/dev/null
		ip netns del $ns 2>/dev/null
	done
}

cleanup()
{
	# shellcheck disable=SC2046
	kill -9 $(jobs -p) 2>/dev/null
	wait 2>/dev/null
	namespaces_remove
	pkill -TERM -f -- "--socket $work/" 2>/dev/null
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		pgrep -f -- "--socket $work/" >/dev/null || break
		sleep 0.1
	done
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 1' INT TERM HUP

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }

# row WHAT RESULT OK?
row()
{
	rows+=("$(printf '%-44s %-34s %s' "$1" "$2" "$3")")
	printf '  %s: %s %s\n' "$1" "$2" "$3"
	[ "$3" = ok ] || failures=$((failures + 1))
}

# rate LOG: the figure of pkt-gen's last line.
rate() { sed -n 's/^Speed: \([0-9.]* [KMG]*pps\).*/\1/p' "$1" | tail -n 1; }

# generate WHAT RX-PORT TX-PORT BYTES: two pkt-gens, one sends for some seconds, the rate is what the other got.
generate()
{
	local rx=$work/rx.log tx=$work/tx.log got ok=FAILED
	"$pktgen" -i "$2" -f rx -W >"$rx" 2>&1 &
	local receiver=$!
	sleep 0.5
	"$pktgen" -i "$3" -f tx -l "$4" >"$tx" 2>&1 &
	local sender=$!
	sleep "$seconds"
	kill -INT $sender
	wait $sender
	local sent=$?
	wait $receiver
	local received=$?
	got=$(rate "$rx")
	[ $sent -eq 0 ] && [ $received -eq 0 ] && [ -n "$got" ] && ok=ok
	[ $ok = ok ] || tail -n 5 "$tx" "$rx"
	row "$1, $4 bytes" "${got:-no packets} received" $ok
}

topology()
{
	namespaces_remove
	ip netns add $left && ip netns add $middle && ip netns add $right || return 1
	ip link add l0 netns $left type veth peer name ml netns $middle || return 1
	ip link add r0 netns $right type veth peer name mr netns $middle || return 1
	ip -n $left addr add 10.77.0.1/24 dev l0
	ip -n $right addr add 10.77.0.2/24 dev r0
	ip -n $left link set l0 up
	ip -n $right link set r0 up
	ip -n $middle link set ml up
	ip -n $middle link set mr up
}

bridged_ping()
{
	local out loss
	out=$(ip netns exec $left ping -q -i 0.02 -c 100 10.77.0.2 2>&1)
	loss=$(sed -n 's/.* \([0-9.]*\)% packet loss.*/\1/p' <<<"$out")
	row "ping through bridge, 100 times" "${loss:-100}% lost$(sed -n 's|^rtt.*= [0-9.]*/\([0-9.]*\)/.*|, \1 ms on average|p' <<<"$out")" \
		"$([ "${loss:-100}" = 0 ] && echo ok || echo FAILED)"
}

bridged_tcp()
{
	local out speed
	ip netns exec $right iperf3 -s -1 >/dev/null 2>&1 &
	sleep 0.5
	out=$(ip netns exec $left timeout 30 iperf3 -c 10.77.0.2 -t "$seconds" 2>&1)
	speed=$(sed -n 's/.* \([0-9.]* [KMG]bits\/sec\) .*receiver.*/\1/p' <<<"$out")
	[ -n "$speed" ] || echo "$out" | tail -n 5
	row "iperf3 TCP through bridge" "${speed:-nothing}" "$([ -n "$speed" ] && echo ok || echo FAILED)"
}

bridge_start()
{
	ip netns exec $middle "$bridge" -w 0 -i netmap:ml -i netmap:mr >"$work/bridge.log" 2>&1 &
	bridge_pid=$!
	sleep 1
}

bridge_stop()
{
	kill -INT $bridge_pid
	wait $bridge_pid
}

# For captures that were taken above TCP segmentation offload.
largest_mtu()
{
	ip -n $left link set l0 mtu 65535
	ip -n $middle link set ml mtu 65535
	ip -n $middle link set mr mtu 65535
	ip -n $right link set r0 mtu 65535
}

# Captures at hand, or one that we make of our own ping.
captures()
{
	local dir=${NETMAP_CAPTURES:-../shared/data/captures}
	if ls "$dir"/*.pcap >/dev/null 2>&1; then
		ls "$dir"/*.pcap
		return
	fi
	ip netns exec $left timeout 10 tcpdump -q -i l0 -c 40 -w "$work/own.pcap" >/dev/null 2>&1 &
	local dump=$!
	sleep 1
	ip netns exec $left ping -q -i 0.02 -c 60 -s 1000 10.77.0.2 >/dev/null
	wait $dump
	echo "$work/own.pcap"
}

bridged_replay()
{
	local file out ok
	for file in $(captures); do
		ok=FAILED
		out=$("$replay" $left l0 $right r0 "$file" 2>&1) && ok=ok
		row "$(basename "$file") through bridge" "$(tail -n 1 <<<"$out")" $ok
	done
}

say "Two pkt-gen over ports of a VALE switch"
generate "VALE" vale0:b vale0:a 60
generate "VALE" vale0:b vale0:a 1500

say "Two pkt-gen over the ends of a pipe"
generate "pipe" 'netmap:demo}1' 'netmap:demo{1' 60
generate "pipe" 'netmap:demo}1' 'netmap:demo{1' 1500

say "bridge between two network interfaces, three network namespaces in a line"
if topology; then
	bridge_start
	bridged_ping
	bridged_tcp
	bridge_stop
	largest_mtu
	bridge_start
	bridged_replay
	bridge_stop
else
	row "network namespaces" "cannot be made" FAILED
fi

say "Summary"
printf '%s\n' "${rows[@]}"
[ $failures -eq 0 ] || { echo; echo "$failures of the above failed"; }
exit $((failures != 0))
