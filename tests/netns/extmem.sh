#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Interfaces in external memory, with the driver that NETMAP_DRIVER names: see extmem.c.
#
#	[one namespace] a0 --veth-- a1
#
# Environment: EXTMEM, NETMAPD, NETMAP_DRIVER. Needs root.
set -u

skip() { echo "skipped: $*"; exit 77; }
fail() { echo "FAILED: $*" >&2; tail -n 20 "$work"/*.log "$log" >&2 2>/dev/null; exit 1; }

[ "$(id -u)" -eq 0 ] || skip "needs root, to make network namespaces"
[ ! -e /run/netmap/netmapd.sock ] || skip "the system's netmapd runs, and would serve the test"
command -v ip >/dev/null || skip "there is no ip"

ns=nm-test-$$-e
. "$(dirname "$0")/lib.sh"
netns_begin $ns
# Two ends of a pair that are joined have no driver between them.
export NETMAP_VETH_JOIN=no

ip netns add $ns || skip "network namespaces cannot be made"
ip netns exec $ns sysctl -q -w net.ipv6.conf.default.disable_ipv6=1 2>/dev/null
ip -n $ns link add a0 type veth peer name a1 || fail "no veth pair"
ip -n $ns link set a0 up
ip -n $ns link set a1 up

ip netns exec $ns "$EXTMEM" a0 a1 >"$work/extmem.log" 2>&1 || fail "with status $?"
cat "$work/extmem.log"
grep 'interface opened' "$log" | sed 's/.*port/port/' | sort | uniq -c
# Where AF_XDP works at all: too few buffers are no reason to fail, but one to say so. Their size is none.
if [ -z "${NETMAP_DRIVER:-}" ] && grep -q 'interface opened, af_xdp' "$log"; then
	grep 'a0: interface opened, af_packet' "$log" | grep -q 'AF_XDP takes .* left' || fail "no word of why it is not AF_XDP"
	[ "$(grep -c 'a0: interface opened, af_xdp' "$log")" -ge 3 ] || fail "AF_XDP was not used with all sizes"
fi
