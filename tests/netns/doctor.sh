#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# vale-ctl doctor in front of interfaces in all states, in two network namespaces:
#
#	[here] v0 ---veth--- v1 [there]
#	       d0 (down), t0 (tap), n0 (tun), lo, br0 (bridge)
#
# It says whether they can be used, and why not, and changes nothing; also without root.
# Environment: VALE_CTL. Needs root.
set -u

skip() { echo "skipped: $*"; exit 77; }
fail() { echo "FAILED: $*" >&2; [ ! -s "$work/out" ] || cat "$work/out" >&2; exit 1; }

[ "$(id -u)" -eq 0 ] || skip "needs root, to make network namespaces"
[ ! -e /run/netmap/netmapd.sock ] || skip "the system's netmapd runs, and would be asked"
for tool in ip ethtool; do
	command -v $tool >/dev/null || skip "there is no $tool"
done

here=nm-test-$$-h there=nm-test-$$-t
work=$(mktemp -d /tmp/netmap-test-XXXXXX) || exit 1
export XDG_RUNTIME_DIR=$work NETMAP_HOST=user
unset NETMAP_SOCKET

cleanup()
{
	local status=$?
	trap - EXIT
	ip netns del $here 2>/dev/null
	ip netns del $there 2>/dev/null
	rm -rf "$work"
	exit $status
}
trap cleanup EXIT
trap 'exit 1' INT TERM HUP

step() { echo "--- $*"; }

# The interface, the exit status; then texts that must appear.
examine()
{
	local name=$1 want=$2 status
	shift 2
	ip netns exec $here "$VALE_CTL" doctor $options "$name" >"$work/out" 2>&1
	status=$?
	[ $status -eq "$want" ] || fail "doctor $name: exit status $status instead of $want"
	for text in "$@"; do
		grep -qF -- "$text" "$work/out" || fail "doctor $name: does not say \"$text\""
	done
}
options=

step topology
ip netns add $here && ip netns add $there || fail "no network namespaces"
ip -n $here link add v0 type veth peer name v1 netns $there || fail "no veth"
ip -n $here link set v0 up
ip -n $there link set v1 up
ip -n $here link add d0 type veth peer name d1
ip -n $here link set lo up

step veth
examine v0 0 "v0: AF_XDP, " "far end"
ip netns exec $here ethtool -k v0 >"$work/before"
examine v0 0
ip netns exec $here ethtool -k v0 | cmp -s - "$work/before" || fail "features of v0 have changed"

step "veth without its other end's carrier"
ip -n $there link set v1 down
examine v0 0 "no carrier"
ip -n $there link set v1 up

step "down, missing, no name for an interface"
examine d0 1 "d0 is down" "ip link set dev d0 up"
examine none 1 "There is no interface none"
examine v1 1 "There is no interface v1"
examine 0123456789abcdef 1 "1 to 15 characters"

step loopback
examine lo 0 "lo: af_packet" "loopback"
# What it says is what comes of it.
export XDG_RUNTIME_DIR=$work/run
mkdir -m 700 "$work/run"
ip netns exec $here "$VALE_CTL" -g netmap:lo >"$work/lo" 2>&1 || fail "lo cannot be opened: $(cat "$work/lo")"
grep -q "port lo: interface opened, af_packet" "$work/run/netmap/netmapd.log" || fail "lo is opened another way"

step "tap and tun"
if ip -n $here tuntap add dev t0 mode tap 2>/dev/null; then
	ip -n $here link set t0 up
	examine t0 0 "t0: TAP"
	ip -n $here tuntap add dev n0 mode tun && ip -n $here link set n0 up
	examine n0 1 "does not carry Ethernet"
else
	echo "no tap here"
fi

step "a bridge and its port"
if ip -n $here link add br0 type bridge 2>/dev/null; then
	ip -n $here link set br0 up
	ip -n $here link set v0 master br0
	examine br0 0 "is a bridge"
	examine v0 0 "port of a bridge" "ip link set dev v0 nomaster"
	ip -n $here link set v0 nomaster
	ip -n $here link del br0
fi

step offloads
ip netns exec $here ethtool -K v0 gro on || fail "GRO cannot be switched on"
examine v0 0 "restored afterwards: " "rx-gro"

step MTU
ip -n $here link set v0 mtu 9000
examine v0 0 "MTU 9000"
ip -n $here link set v0 mtu 1500

step "an XDP program is there"
cat >"$work/pass.c" <<'END'
__attribute__((section("xdp"), used)) int test_pass(void *ctx) { return 2; }
char test_license[] __attribute__((section("license"), used)) = "GPL";
END
if ! clang -O2 -g -target bpf -c "$work/pass.c" -o "$work/pass.o" 2>/dev/null; then
	echo "no clang here"
else
	for mode in xdpdrv xdpgeneric; do
		ip -n $here link set dev v0 $mode obj "$work/pass.o" sec xdp 2>/dev/null || { echo "no $mode here"; continue; }
		examine v0 0 "v0: af_packet" "An XDP program is attached already" "test_pass" "ip link set dev v0 $mode off"
		ip -n $here link set dev v0 $mode off
		examine v0 0 "v0: AF_XDP, "
	done
fi

step JSON
options=-j
examine v0 0 '"interface": "v0"' '"usable": true' '"mode": "afxdp' '"findings": ['
examine d0 1 '"usable": false' '"mode": "none"'
examine none 1 '"facts": null'
if command -v jq >/dev/null; then
	jq -e '.findings | map(select(.level == "error")) | length == 1' "$work/out" >/dev/null || fail "one error was expected"
fi
options=

step "without root"
if command -v setpriv >/dev/null; then
	ip netns exec $here setpriv --reuid 65534 --regid 65534 --clear-groups env XDG_RUNTIME_DIR=/nonexistent \
		"$VALE_CTL" doctor v0 >"$work/out" 2>&1
	status=$?
	[ $status -eq 1 ] || fail "exit status $status instead of 1"
	grep -q "CAP_NET_RAW" "$work/out" || fail "no capability is named"
fi

[ ! -e "$work/netmap/netmapd.log" ] && [ ! -e "$work/netmap/netmapd.sock" ] || fail "a netmapd was started"
echo ok
