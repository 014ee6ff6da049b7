#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# What happens to an interface while a program has it open: it goes down and up, gets another MTU or other queues, is
# deleted; and netmapd is killed while its offloads are off.
#
#	[near: steady on e0] ---veth--- [f0: far, steady f0 send]
#
# Environment: NETMAPD, STEADY, NETMAP_DRIVER; NETMAP_SOAK=1: ten thousand times instead of 200. Needs root.
set -u

skip() { echo "skipped: $*"; exit 77; }
fail() { echo "FAILED: $*" >&2; tail -n 15 "$work"/*.log "$log" >&2 2>/dev/null; exit 1; }

[ "$(id -u)" -eq 0 ] || skip "needs root, to make network namespaces"
[ ! -e /run/netmap/netmapd.sock ] || skip "the system's netmapd runs, and would serve the test"
for tool in ip ethtool; do
	command -v $tool >/dev/null || skip "there is no $tool"
done

near=nm-flaps-$$-n far=nm-flaps-$$-f
. "$(dirname "$0")/lib.sh"
netns_begin $near $far
unset NETMAP_INGRESS
[ -n "${NETMAP_DRIVER:-}" ] || unset NETMAP_DRIVER
in_near="ip netns exec $near"
sender= reader=
flaps=200
[ "${NETMAP_SOAK:-0}" = 1 ] && flaps=10000

# within TEST...: it holds within ten seconds.
within() { for _ in $(seq 200); do "$@" && return; sleep 0.05; done; return 1; }
said() { tail -n +"$mark" "$work/steady.log" | grep -q "$1"; }
logged() { tail -n +"$log_mark" "$log" | grep -q "$1"; }
gone() { ! running "$1"; }
mark_set() { mark=$(($(wc -l <"$work/steady.log") + 1)); log_mark=$(($(wc -l <"$log") + 1)); }

veth_make()
{
	# Native XDP wants no fewer receive queues than the far end has for transmitting.
	ip link add e0 netns $near numrxqueues 4 numtxqueues 4 type veth peer name f0 netns $far numrxqueues 4 numtxqueues 2 ||
		fail "no veth pair can be made"
	$in_near ethtool -L e0 rx 2 tx 2 || skip "ethtool does not change the queues of a veth"
	ip -n $near link set e0 up
	ip -n $far link set f0 up
	ip netns exec $far "$STEADY" f0 send &
	sender=$!
}

steady_start()
{
	: >"$work/steady.log"
	$in_near "$STEADY" e0 >"$work/steady.log" 2>"$work/steady-errors.log" &
	reader=$!
	mark=1
	within said '^ready' || fail "the port cannot be opened"
	mark_set
	within said '^packets' || fail "no traffic"
}

# The program closes the port and opens it anew.
reopen()
{
	mark_set
	kill -USR1 $reader
	within said '^ready' || fail "$1: it cannot be opened again"
	within said '^packets' || fail "$1: no traffic after it was opened again"
}

alive()
{
	running $reader || fail "$1: the program has ended"
	running "$(netmapd_pid)" || fail "$1: netmapd has ended"
}

# broken WHAT REASON: the program, asleep in poll or not, is told.
broken()
{
	within said '^error' || fail "$1: no POLLERR"
	within logged "$2" || fail "$1: netmapd does not say why"
	alive "$1"
}

# unbroken WHAT: traffic, and no error that stays.
unbroken()
{
	mark_set
	within said '^packets' || fail "$1: no traffic"
	mark_set
	sleep 0.3
	said '^error' && fail "$1: POLLERR"
	alive "$1"
}

for ns in $near $far; do
	ip netns add $ns || fail "network namespaces cannot be made"
	ip netns exec $ns sysctl -q -w net.ipv6.conf.default.disable_ipv6=1 2>/dev/null
done
veth_make
steady_start
grep -q "interface opened, ${NETMAP_DRIVER:+af_packet}" "$log" || fail "another driver than asked for"
[ -n "${NETMAP_DRIVER:-}" ] || grep -q "interface opened, af_xdp" "$log" || skip "AF_XDP does not work here"

step "down and up, $flaps times"
mark_set
down_seen=0
for ((i = 1; i <= flaps; i++)); do
	ip -n $near link set e0 down
	# Now and then there is time to notice.
	if ((i % 20 == 0)); then
		within said '^error' || fail "no POLLERR while it is down"
		down_seen=$((down_seen + 1))
	fi
	ip -n $near link set e0 up
	if ((i % 20 == 0)); then
		within said '^fine' || fail "no traffic after $i times"
		mark_set
	fi
done
unbroken "down and up"
for ((i = 1; i <= 20; i++)); do
	ip -n $far link set f0 down
	ip -n $far link set f0 up
done
unbroken "carrier lost and found"
grep -q "until they open it again" "$log" && fail "netmapd gave the interface up"

step "MTU"
for mtu in 9000 1500 600 1500; do
	mark_set
	ip -n $near link set e0 mtu $mtu
	ip -n $far link set f0 mtu $mtu
	within logged "its MTU is $mtu now" || fail "netmapd does not notice"
	unbroken "MTU $mtu"
done
mark_set
if ip -n $near link set e0 mtu 60000 2>/dev/null; then
	if [ "${NETMAP_DRIVER:-}" = afpacket ]; then
		unbroken "MTU 60000"
	else
		broken "MTU 60000" "MTU has become too large"
	fi
	ip -n $near link set e0 mtu 1500
	reopen "MTU"
fi

step "number of queues"
mark_set
if [ "${NETMAP_DRIVER:-}" = afpacket ]; then
	$in_near ethtool -L e0 rx 4 tx 4
	unbroken "more queues"
	$in_near ethtool -L e0 rx 1 tx 1
	unbroken "fewer queues"
else
	$in_near ethtool -L e0 rx 4 tx 4
	broken "more queues" "number of queues has changed"
fi
reopen "queues"

step "deleted while the program sleeps in poll"
kill $sender
wait $sender 2>/dev/null
sleep 0.3
mark_set
ip -n $near link del e0
broken "deletion" "the interface is gone"
mark_set
kill -USR1 $reader
within said '^refused' || fail "what is not there was opened"
veth_make
reopen "deletion"

step "moved to another namespace"
mark_set
ip -n $near link set e0 netns $far
broken "move" "the interface is gone"
ip -n $far link set e0 netns $near
ip -n $near link set e0 up
reopen "move"

step "netmapd is killed"
kill -9 $reader
wait $reader 2>/dev/null
pid=$(netmapd_pid)
within gone "$pid" || fail "netmapd does not leave"
$in_near ethtool -K e0 gro on >/dev/null 2>&1
$in_near ethtool -k e0 | sort >"$work/before"
grep -q '^generic-receive-offload: on' "$work/before" || fail "GRO cannot be switched on"
steady_start
$in_near ethtool -k e0 | grep -q '^generic-receive-offload: off' || fail "GRO stays on"
find "$work/netmap" -name 'if-*' | grep -q . || fail "there is no note of it"
pid=$(netmapd_pid)
kill -9 "$pid" $reader
wait $reader 2>/dev/null
within gone "$pid" || fail "netmapd survives"
$in_near ethtool -k e0 | grep -q '^generic-receive-offload: off' || fail "somebody else restored it"
# Whatever starts it.
"$NETMAPD" -i 0 || fail "netmapd does not start"
within logged "interface e0, left changed by a netmapd that ended, restored" || fail "nothing is said of it"
$in_near ethtool -k e0 | sort | diff - "$work/before" || fail "offloads are not as they were"
find "$work/netmap" -name 'if-*' | grep -q . && fail "the note stays"
pid=$(netmapd_pid)
within gone "$pid" || fail "netmapd does not leave"
steady_start
kill $reader
wait $reader 2>/dev/null
pid=$(netmapd_pid)
within gone "$pid" || fail "netmapd does not leave"
$in_near ethtool -k e0 | sort | diff - "$work/before" || fail "offloads are not as they were after an ordinary end"
echo ok
