#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Two interfaces on a switch that has an owner and a module: attached and detached with the token only, and what the module
# says is what happens between them.
#
#	[left] l0 ---veth--- ml -- vale0, flow_hash -- mr ---veth--- r0 [right]
#
# Environment: NETMAPD, VALE_CTL, MODULES. Needs root.
set -u

skip() { echo "skipped: $*"; exit 77; }
fail() { echo "FAILED: $*" >&2; tail -n 20 "$work/daemon.log" >&2; exit 1; }

[ "$(id -u)" -eq 0 ] || skip "needs root, to make network namespaces"
[ ! -e /run/netmap/netmapd.sock ] || skip "the system's netmapd runs, and would serve the test"
for tool in ip ping; do
	command -v $tool >/dev/null || skip "there is no $tool"
done

left=nm-mod-$$-l middle=nm-mod-$$-m right=nm-mod-$$-r
. "$(dirname "$0")/lib.sh"
netns_begin $left $middle $right

ctl() { ip netns exec $middle "$VALE_CTL" "$@"; }

for ns in $left $middle $right; do
	ip netns add $ns || skip "no network namespaces can be made here"
	ip -n $ns link set lo up
done
ip link add l0 netns $left type veth peer name ml netns $middle || fail "veth"
ip link add r0 netns $right type veth peer name mr netns $middle || fail "veth"
ip -n $left addr add 10.79.1.1/24 dev l0
ip -n $right addr add 10.79.1.2/24 dev r0
ip -n $left link set l0 up
ip -n $right link set r0 up
ip -n $middle link set ml up
ip -n $middle link set mr up

mkdir -m 0700 "$work/netmap" "$work/m"
cp "$MODULES/flow_hash.so" "$work/m"
ip netns exec $middle "$NETMAPD" -f --module-dir "$work/m" 2>"$work/daemon.log" &
daemon=$!
for _ in $(seq 100); do
	[ ! -S "$work/netmap/netmapd.sock" ] || break
	sleep 0.1
done

step "attached with the token only"
token=$(ctl --own vale0) || fail "--own"
ctl --token "$token" --module vale0=flow_hash || fail "--module"
ctl -a vale0:ml 2>/dev/null && fail "attached without the token"
ctl --token "$token" -a vale0:ml || fail "-a vale0:ml"
ctl --token "$token" -a vale0:mr || fail "-a vale0:mr"
ctl -d vale0:ml 2>/dev/null && fail "detached without the token"

step "nothing passes before the module is told to"
ip netns exec $left ping -q -c 20 -i 0.02 -W 1 10.79.1.2 >/dev/null && fail "a module that drops everything lets pings through"

step "pings pass"
ctl --config 'vale0=ports 1' >/dev/null || fail "--config"
ctl --config 'vale0=back 0' >/dev/null || fail "--config"
ping_all $left 10.79.1.2 -c 20 -i 0.02 || fail "ping"
ctl -l vale0 | grep -q 'module flow_hash, forwarded by netmapd' || fail "the listing does not tell of the module"

step "and with addresses that are learned again"
ctl --token "$token" --module vale0= || fail "--module with nothing"
ping_all $left 10.79.1.2 -c 20 -i 0.02 || fail "ping"

ctl --token "$token" -d vale0:ml || fail "-d vale0:ml"
ctl --token "$token" -d vale0:mr || fail "-d vale0:mr"
ctl --token "$token" --disown vale0 || fail "--disown"
kill $daemon
wait $daemon || fail "netmapd ended with $?"
