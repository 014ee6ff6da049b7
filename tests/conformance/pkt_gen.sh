#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# pkt-gen over VALE and pipes: several pairs at once, nothing lost in a pipe, and how often the kernel is called.
# Environment: NETMAPD, PKT_GEN; usage: pkt_gen.sh SOURCE-DIRECTORY
here=$1
. "$here/lib.sh"
private_dir

# pair NAME RX-PORT TX-PORT RX-OPTIONS TX-OPTIONS: in the background; ends when the receiver has what it wants.
pair()
{
	# shellcheck disable=SC2086
	"$PKT_GEN" -i "$2" -f rx $4 >"$dir/$1.rx" 2>&1 &
	eval "rx_$1=$!"
	# shellcheck disable=SC2086
	"$PKT_GEN" -i "$3" -f tx $5 >"$dir/$1.tx" 2>&1 &
	eval "tx_$1=$!"
}

# pair_end NAME
pair_end()
{
	eval "wait \$rx_$1" || { cat "$dir/$1.rx" "$dir/$1.tx"; fail "receiver of pair $1"; }
	eval "kill -INT \$tx_$1" 2>/dev/null
	eval "wait \$tx_$1" || { cat "$dir/$1.tx"; fail "sender of pair $1"; }
	grep -q '^Received [1-9]' "$dir/$1.rx" || { cat "$dir/$1.rx"; fail "pair $1: nothing was received"; }
	sed -n 's/^Speed: /'"$1"': /p' "$dir/$1.rx"
}

# Two pairs at once, on two switches; one of 1500 bytes.
pair one vale0:b vale0:a "-n 2000000" ""
pair two vale1:b vale1:a "-n 500000" "-l 1500"
pair_end one
pair_end two
# Two senders, one receiver.
pair three vale0:b vale0:a "-n 2000000" ""
"$PKT_GEN" -i vale0:c -f tx -S 02:00:00:00:00:03 >"$dir/c" 2>&1 &
c=$!
pair_end three
kill -INT $c
wait $c || fail "the second sender"

# A pipe: all that was sent arrives, in order.
"$PKT_GEN" -i netmap:p}1 -f rxseq -n 300000 >"$dir/rx" 2>&1 &
rx=$!
"$PKT_GEN" -i netmap:p{1 -f txseq -n 300000 >"$dir/tx" 2>&1 || { cat "$dir/tx"; fail "txseq"; }
wait $rx || { cat "$dir/rx"; fail "rxseq"; }
grep -q '^Received 300000 packets' "$dir/rx" || { cat "$dir/rx"; fail "not all came through the pipe"; }
grep -q 'Sequence: 300000 in order, 0 gaps (0 packets missing), 0 late or twice' "$dir/rx" ||
	{ cat "$dir/rx"; fail "gaps in a pipe"; }

# Offsets in names: at both ends of a pipe (where the receiver checks every packet), at one end of a switch.
"$PKT_GEN" -i netmap:o}1@offset=40 -f rxseq -n 100000 >"$dir/rx" 2>&1 &
rx=$!
"$PKT_GEN" -i netmap:o{1@offset=100 -f txseq -n 100000 >"$dir/tx" 2>&1 || { cat "$dir/tx"; fail "txseq with offsets"; }
wait $rx || { cat "$dir/rx"; fail "rxseq with offsets"; }
grep -q 'Sequence: 100000 in order, 0 gaps' "$dir/rx" || { cat "$dir/rx"; fail "gaps in a pipe with offsets"; }
"$PKT_GEN" -i vale0:b -f pong >"$dir/pong" 2>&1 &
pong=$!
timeout 20 "$PKT_GEN" -i vale0:a@offset=64 -f ping -n 1000 >"$dir/ping" 2>&1 || { cat "$dir/ping"; fail "ping with offsets"; }
kill -INT $pong
wait $pong || { cat "$dir/pong"; fail "pong"; }
"$PKT_GEN" -i vale0:b@offset=64 -f pong >"$dir/pong" 2>&1 &
pong=$!
timeout 20 "$PKT_GEN" -i vale0:a -f ping -n 1000 >"$dir/ping" 2>&1 || { cat "$dir/ping"; fail "ping to offsets"; }
kill -INT $pong
wait $pong || { cat "$dir/pong"; fail "pong with offsets"; }

# ping and pong.
"$PKT_GEN" -i vale0:b -f pong >"$dir/pong" 2>&1 &
pong=$!
timeout 20 "$PKT_GEN" -i vale0:a -f ping -n 1000 >"$dir/ping" 2>&1 || { cat "$dir/ping"; fail "ping"; }
kill -INT $pong
wait $pong || { cat "$dir/pong"; fail "pong"; }

# How often the kernel is called. On a machine with other work sleeps are many; that no call is needed while both
# sides are busy is shown elsewhere (test_idle.c).
if command -v strace >/dev/null && [ "$(nproc)" -ge 2 ] && strace -c -o /dev/null true 2>/dev/null; then
	strace -f -c -S calls -o "$dir/strace.rx" "$PKT_GEN" -i netmap:q}1 -f rx -n 5000000 >"$dir/rx" 2>&1 &
	rx=$!
	strace -f -c -S calls -o "$dir/strace.tx" "$PKT_GEN" -i netmap:q{1 -f tx -n 5000000 >"$dir/tx" 2>&1 ||
		{ cat "$dir/tx"; fail "tx under strace"; }
	wait $rx || { cat "$dir/rx"; fail "rx under strace"; }
	for side in rx tx; do
		calls=$(awk '$NF == "total" { print $4 }' "$dir/strace.$side")
		echo "$side: 5000000 packets, about 10000 batches, $calls system calls"
	done
fi
daemon_left "$dir/netmap"
echo "ok"
