#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The first netmap program of an ordinary user starts a netmapd, in a directory of the user's own, and it leaves
# when nobody needs it any more.
# Environment: NETMAPD, PKT_GEN, VALE_CTL; usage: autostart.sh SOURCE-DIRECTORY
here=$1
. "$here/lib.sh"
[ -e /run/netmap/netmapd.sock ] && skip "the system's netmapd runs, and would serve the test"
unset XDG_RUNTIME_DIR
# shellcheck disable=SC2086
if [ "$(id -u)" -eq 0 ]; then
	# A user that nobody else is.
	uid=$((1000000 + $$))
	as="setpriv --reuid=$uid --regid=$uid --clear-groups --"
	command -v setpriv >/dev/null || skip "there is no setpriv(1), to become an ordinary user"
	$as test -x "$PKT_GEN" || skip "an ordinary user cannot reach $PKT_GEN"
	$as test -x "$NETMAPD" || skip "an ordinary user cannot reach $NETMAPD"
else
	uid=$(id -u)
	as=
fi
place=/tmp/netmap-$uid
[ ! -e "$place/netmapd.sock" ] || skip "a netmapd of this user runs already"
dir=$(mktemp -d /tmp/netmap-test-XXXXXX) || exit 1
finish()
{
	status=$?
	trap - EXIT
	pid=$(daemon_pid "$place")
	# shellcheck disable=SC2046
	kill $(jobs -p) $pid 2>/dev/null
	[ "$(id -u)" -eq 0 ] && rm -rf "$place"
	rm -rf "$dir"
	exit $status
}
trap finish EXIT
trap 'exit 1' INT TERM HUP

# Who only looks leaves nothing behind.
[ -e "$place" ] || {
	$as "$VALE_CTL" >"$dir/list" 2>&1
	[ ! -e "$place" ] || fail "a listing made $place"
}

# Two terminals: the receiver first, nothing started beforehand.
$as "$PKT_GEN" -i vale0:b -f rx -n 100000 >"$dir/rx" 2>&1 &
rx=$!
$as "$PKT_GEN" -i vale0:a -f tx >"$dir/tx" 2>&1 &
tx=$!
wait $rx || { cat "$dir/rx" "$dir/tx"; fail "the receiver"; }
kill -INT $tx
wait $tx
grep -q '^Received [1-9]' "$dir/rx" || { cat "$dir/rx"; fail "nothing was received"; }
grep -q '^Sent [1-9]' "$dir/tx" || { cat "$dir/tx"; fail "nothing was sent"; }
what=$(stat -c '%u %a %F' "$place")
[ "$what" = "$uid 700 directory" ] || fail "the directory is: $what"
# Whose it is not refuses it: a directory that others could write to.
daemon_left "$place"
chmod 0755 "$place"
$as "$PKT_GEN" -i vale0:a -f tx -n 10 >"$dir/tx" 2>&1 && fail "a directory that is open to others was used"
chmod 0700 "$place"

# Many at once: one netmapd serves all of them. (Same switch, same daemon: the receiver sees every sender.)
rm -f "$place/netmapd.log"
$as "$PKT_GEN" -i vale0:b -f rx >"$dir/rx" 2>&1 &
rx=$!
for i in 1 2 3 4 5 6; do
	$as "$PKT_GEN" -i vale0:s$i -f tx -n 1000 -R 5000 -D 02:00:00:00:00:0$i >"$dir/tx$i" 2>&1 &
	eval "tx$i=$!"
done
for i in 1 2 3 4 5 6; do
	eval "wait \$tx$i" || { cat "$dir/tx$i"; fail "sender $i of several at once"; }
done
kill -INT $rx
wait $rx
[ "$(grep -c ' serves ' "$place/netmapd.log")" -eq 1 ] || fail "not one netmapd: $(cat "$place/netmapd.log")"
daemon_left "$place"
echo "ok"
