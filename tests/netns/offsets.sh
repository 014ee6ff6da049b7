#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Offsets on interfaces, with the driver that NETMAP_DRIVER names: see offsets.c.
#
#	[one namespace] a0 --veth-- a1
#
# Environment: OFFSETS, NETMAPD, NETMAP_DRIVER. Needs root.
set -u

skip() { echo "skipped: $*"; exit 77; }
fail() { echo "FAILED: $*" >&2; tail -n 20 "$work"/*.log "$log" >&2 2>/dev/null; exit 1; }

[ "$(id -u)" -eq 0 ] || skip "needs root, to make network namespaces"
[ ! -e /run/netmap/netmapd.sock ] || skip "the system's netmapd runs, and would serve the test"
command -v ip >/dev/null || skip "there is no ip"

ns=nm-test-$$-o
. "$(dirname "$0")/lib.sh"
netns_begin $ns
# Two ends of a pair that are joined have no driver between them.
export NETMAP_VETH_JOIN=no

ip netns add $ns || skip "network namespaces cannot be made"
ip netns exec $ns sysctl -q -w net.ipv6.conf.default.disable_ipv6=1 2>/dev/null
ip -n $ns link add a0 type veth peer name a1 || fail "no veth pair"
ip -n $ns link set a0 up
ip -n $ns link set a1 up

ip netns exec $ns "$OFFSETS" a0 a1 >"$work/offsets.log" 2>&1 || fail "with status $?"
cat "$work/offsets.log"
