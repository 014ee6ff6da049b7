#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The two ends of a veth pair, open in two network namespaces and two processes through one netmapd, are joined ring to
# ring; whatever becomes of either end, the other goes on, and nothing that was accepted is lost or comes twice.
#
#	[left] l0 --veth-- ml [mleft: bridge] v0 ==native veth== v1 [mright: bridge] mr --veth-- r0 [right]
#
# Environment: PKT_GEN, BRIDGE, REPLAY, VALE_CTL, NETMAP_CAPTURES. Needs root.
set -u

skip() { echo "skipped: $*"; exit 77; }
fail() { echo "FAILED: $*" >&2; tail -n 20 "$work"/*.log "$log" >&2 2>/dev/null; exit 1; }

[ "$(id -u)" -eq 0 ] || skip "needs root, to make network namespaces"
[ ! -e /run/netmap/netmapd.sock ] || skip "the system's netmapd runs, and would serve the test"
for tool in ip ping; do
	command -v $tool >/dev/null || skip "there is no $tool"
done

left=nm-test-$$-l mleft=nm-test-$$-ml mright=nm-test-$$-mr right=nm-test-$$-r
. "$(dirname "$0")/lib.sh"
netns_begin $left $mleft $mright $right
unset NETMAP_VETH_JOIN

# Words, not functions: a program in the background is the shell's own child.
in_left="ip netns exec $mleft"
in_right="ip netns exec $mright"

topology()
{
	local ns
	for ns in $left $mleft $mright $right; do
		ip netns add $ns || return 1
		ip netns exec $ns sysctl -q -w net.ipv6.conf.default.disable_ipv6=1 2>/dev/null
		ip -n $ns link set lo up
	done
	ip link add l0 netns $left type veth peer name ml netns $mleft || return 1
	ip link add r0 netns $right type veth peer name mr netns $mright || return 1
	# The same index at both ends, and pairs beside it: an index alone names no interface.
	ip link add v0 index 77 netns $mleft type veth peer name v1 index 77 netns $mright || return 1
	ip link add x0 index 78 netns $mleft type veth peer name x1 index 79 netns $mleft || return 1
	ip -n $left addr add 10.79.0.1/24 dev l0
	ip -n $right addr add 10.79.0.2/24 dev r0
	ip -n $left link set l0 up
	ip -n $mleft link set ml up
	ip -n $mleft link set v0 up
	ip -n $mleft link set x0 up
	ip -n $mleft link set x1 up
	ip -n $mright link set v1 up
	ip -n $mright link set mr up
	ip -n $right link set r0 up
}

# mode PORT: what vale-ctl says of it.
mode() { "$VALE_CTL" -v 2>/dev/null | grep -A 3 "\b$1\b"; }

# waits_for SECONDS TEXT FILE
waits_for()
{
	local n
	for n in $(seq $((${1} * 20))); do
		grep -q -- "$2" "$3" 2>/dev/null && return
		sleep 0.05
	done
	return 1
}

# Frames that the kernel has carried over the pair.
carried() { ip -n $mleft -s -j link show v0 | sed 's/.*"tx":{[^}]*"packets":\([0-9]*\).*/\1/'; }

receiver_start()
{
	$in_right "$PKT_GEN" -i netmap:v1 -f rxseq -w 0 "$@" >"$work/rx.log" 2>&1 &
	rx_pid=$!
	for _ in $(seq 100); do
		grep -q "^Receiving" "$work/rx.log" && break
		running $rx_pid || fail "the receiver has ended"
		sleep 0.05
	done
	sleep 0.3
}

# sequence IN-ORDER: the receiver's last words.
sequence()
{
	wait $rx_pid || fail "receiver, with status $?"
	local said
	said=$(grep '^Sequence:' "$work/rx.log")
	echo "    $said"
	[[ $said == "Sequence: $1 in order, 0 gaps (0 packets missing), 0 late or twice, "* ]] || fail "sequence"
}

topology || fail "network namespaces cannot be made"

step "all frames arrive, in order, and the kernel sees none of them"
receiver_start -n 1000000
before=$(carried)
$in_left "$PKT_GEN" -i netmap:v0 -f txseq -n 1000000 -w 0 >"$work/tx.log" 2>&1 || fail "sender, with status $?"
sequence 1000000
[ $(($(carried) - before)) -lt 100 ] || fail "$(carried) frames have gone through the kernel"

step "vale-ctl names the other end"
receiver_start
$in_left "$PKT_GEN" -i netmap:v0 -f txseq -R 1000 -w 0 >"$work/tx.log" 2>&1 &
tx_pid=$!
sleep 0.7
"$VALE_CTL" -v >"$work/modes.log" 2>&1
grep -q "joined to v1 (native veth)" "$work/modes.log" || fail "v0 is not joined"
grep -q "joined to v0 (native veth)" "$work/modes.log" || fail "v1 is not joined"

step "the receiver stands still: the sender waits, nothing is lost"
kill -STOP $rx_pid
kill -INT $tx_pid; wait $tx_pid
$in_left "$PKT_GEN" -i netmap:v0 -f txseq -n 50000 -w 0 >"$work/tx.log" 2>&1 &
tx_pid=$!
sleep 1
running $tx_pid || fail "the sender has not waited"
kill -CONT $rx_pid
wait $tx_pid || fail "sender, with status $?"
kill -INT $rx_pid; wait $rx_pid
grep -q ' 49[0-9]*\| 5[0-9]* in order' "$work/rx.log" || fail "$(grep Sequence "$work/rx.log")"

step "frames of all sizes, packets of several slots, both ways"
$in_left "$PKT_GEN" -i netmap:v0 -f rxseq -w 0 -n 30000 >"$work/rx2.log" 2>&1 &
rx2_pid=$!
$in_right "$PKT_GEN" -i netmap:v1 -f rxseq -w 0 -n 30000 >"$work/rx.log" 2>&1 &
rx_pid=$!
sleep 0.7
$in_left "$PKT_GEN" -i netmap:v0 -f txseq -w 0 -n 30000 -l 60 -l 1500 >"$work/tx.log" 2>&1 || fail "sender"
$in_right "$PKT_GEN" -i netmap:v1 -f txseq -w 0 -n 30000 -l 1500 -F 4 >"$work/tx2.log" 2>&1 || fail "sender"
sequence 30000
rx_pid=$rx2_pid; cp "$work/rx2.log" "$work/rx.log"
sequence 30000

step "captures through two bridges, byte for byte"
$in_left "$BRIDGE" -w 0 -i netmap:ml -i netmap:v0 >"$work/bridge1.log" 2>&1 &
$in_right "$BRIDGE" -w 0 -i netmap:v1 -i netmap:mr >"$work/bridge2.log" 2>&1 &
bridges=$(jobs -p | tail -n 2)
waits_for 5 "->" "$work/bridge1.log" && waits_for 5 "->" "$work/bridge2.log" || fail "bridge"
sleep 0.3
"$VALE_CTL" -v >"$work/modes.log" 2>&1
grep -q "joined to v1 (native veth)" "$work/modes.log" || fail "v0 is not joined"
ping_all $left 10.79.0.2 -c 100 -i 0.01 || fail "ping"
for file in "${NETMAP_CAPTURES:-/nonexistent}"/*.pcap; do
	[ -e "$file" ] || continue
	before=$(carried)
	out=$("$REPLAY" $left l0 $right r0 "$file" 2>&1) || { echo "$out" >&2; fail "replay of $(basename "$file")"; }
	echo "    $(basename "$file"): $(tail -n 1 <<<"$out")"
	[ "$(carried)" -eq "$before" ] || fail "it has gone through the kernel"
done

step "one bridge goes: the frames go through the kernel, to the other end's stack, and come back to the ring with it"
ip -n $mright addr add 10.79.0.3/24 dev v1
# shellcheck disable=SC2086
set -- $bridges
! ip netns exec $left ping -c 2 -i 0.2 -W 1 10.79.0.3 >/dev/null 2>&1 || fail "the stack hears what it should not"
kill -INT "$2"; wait "$2"
ip netns exec $left ping -c 5 -i 0.1 -W 1 10.79.0.3 >"$work/ping.log" 2>&1 || fail "no way to the other end's stack"
$in_right "$BRIDGE" -w 0 -i netmap:v1 -i netmap:mr >"$work/bridge2.log" 2>&1 &
second=$!
waits_for 5 "->" "$work/bridge2.log" || fail "bridge"
sleep 0.3
before=$(carried)
ping_all $left 10.79.0.2 -c 50 -i 0.01 || fail "ping"
[ "$(carried)" -eq "$before" ] || fail "the ends are not joined again"
kill -INT "$1" $second; wait "$1" $second

# What a receiver saw that came while others sent: each number once. What the kernel had on its way when it came may be
# late.
once()
{
	grep -q '^Sequence: [1-9]' "$work/rx.log" || fail "nothing arrived: $(cat "$work/rx.log")"
	! grep -q ' 0 gaps .*, [1-9][0-9]* late or twice' "$work/rx.log" || fail "$(grep Sequence "$work/rx.log")"
}

step "the receiver goes and comes, under load"
$in_left "$PKT_GEN" -i netmap:v0 -f txseq -w 0 >"$work/tx.log" 2>&1 &
tx_pid=$!
sleep 0.3
for n in $(seq 8); do
	$in_right "$PKT_GEN" -i netmap:v1 -f rxseq -w 0 >"$work/rx.log" 2>&1 &
	rx_pid=$!
	sleep 0.4
	if [ $((n % 2)) -eq 0 ]; then
		kill -INT $rx_pid; wait $rx_pid
		once
	else
		kill -9 $rx_pid; wait $rx_pid 2>/dev/null
	fi
	running $tx_pid || fail "the sender has ended"
done

step "the sender is killed, again and again"
kill -9 $tx_pid; wait $tx_pid 2>/dev/null
$in_right "$PKT_GEN" -i netmap:v1 -f rx -w 0 >"$work/rx.log" 2>&1 &
rx_pid=$!
for n in $(seq 12); do
	$in_left "$PKT_GEN" -i netmap:v0 -f txseq -w 0 >"$work/tx.log" 2>&1 &
	tx_pid=$!
	sleep 0.2$n
	kill -9 $tx_pid; wait $tx_pid 2>/dev/null
done
running $rx_pid || fail "the receiver has ended"
kill -INT $rx_pid; wait $rx_pid

step "and again, as if nothing had been"
receiver_start -n 300000
$in_left "$PKT_GEN" -i netmap:v0 -f txseq -n 300000 -w 0 >"$work/tx.log" 2>&1 || fail "sender, with status $?"
sequence 300000

step "interfaces that are no pair are not joined; a pair in one namespace is"
$in_left "$PKT_GEN" -i netmap:x0 -f rx -w 0 >"$work/a.log" 2>&1 &
$in_right "$PKT_GEN" -i netmap:v1 -f rx -w 0 >"$work/b.log" 2>&1 &
sleep 0.7
"$VALE_CTL" -v >"$work/modes.log" 2>&1
! grep -q "native veth" "$work/modes.log" || fail "x0 and v1 are joined"
$in_left "$PKT_GEN" -i netmap:x1 -f txseq -n 1000 -w 0 >"$work/c.log" 2>&1 || fail "sender"
grep -q "ports x1 and x0: the two ends of a veth pair" "$log" || fail "x0 and x1 are not joined"
# shellcheck disable=SC2046
kill -INT $(jobs -p); wait

pid=$(netmapd_pid)
for _ in $(seq 100); do
	running "$pid" || break
	sleep 0.1
done
! running "$pid" || fail "netmapd is left behind"

step "NETMAP_VETH_JOIN=no"
export NETMAP_VETH_JOIN=no
rm -f "$log"
receiver_start
$in_left "$PKT_GEN" -i netmap:v0 -f txseq -R 2000 -n 1000 -w 0 >"$work/tx.log" 2>&1 || fail "sender, with status $?"
! grep -q "veth pair" "$log" || fail "they are joined all the same"
kill -INT $rx_pid; sequence 1000
echo ok
