#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Parameters by vale-ctl and by netmapd's configuration file, and forwarding tables by hand.
# Environment: NETMAPD, PKT_GEN, VALE_CTL; usage: params.sh SOURCE-DIRECTORY
here=$1
. "$here/lib.sh"
private_dir
XDG_CONFIG_HOME=$dir/config
export XDG_CONFIG_HOME
mkdir -p "$dir/config/netmap"
mkdir -m 0700 "$dir/netmap"

value()	# NAME
{
	"$VALE_CTL" -o "$1" | sed -n "s/^$1 *\([0-9]*\) .*/\1/p"
}

is()	# NAME VALUE
{
	[ "$(value "$1")" = "$2" ] || fail "$1 is $(value "$1"), not $2"
}

refused()	# WHAT COMMAND...: that it fails, and says so
{
	what=$1
	shift
	"$@" >"$dir/out" 2>&1 && fail "this was accepted: $*"
	grep -q -e "$what" "$dir/out" || { cat "$dir/out"; fail "$* does not say \"$what\""; }
}

# start OPTIONS...: a netmapd in the foreground.
start()
{
	"$NETMAPD" -f "$@" 2>"$dir/log" &
	daemon=$!
	n=0
	while [ ! -S "$dir/netmap/netmapd.sock" ]; do
		n=$((n + 1))
		[ $n -lt 100 ] || { cat "$dir/log"; fail "netmapd does not start"; }
		sleep 0.1
	done
}

stop()
{
	kill $daemon
	wait $daemon
}

refused 'netmapd.sock' "$VALE_CTL" -o
[ ! -e "$dir/netmap/netmapd.sock" ] || fail "looking at parameters started a netmapd"

# Every one is listed; what has no effect says why.
start
[ "$("$VALE_CTL" -o | wc -l)" -eq 40 ] || fail "not 39 parameters: $("$VALE_CTL" -o)"
is vale_age 300
is buf_num 163840
"$VALE_CTL" -o ptnet_vnet_hdr | grep -q 'no effect: .' || fail "no word on why"
"$VALE_CTL" -o -j | grep -q '"name": "vale_age"' || fail "JSON"
"$VALE_CTL" -o vale_age=20 || fail "cannot set vale_age"
is vale_age 20
"$VALE_CTL" -o verbose=1 || fail "cannot set verbose"
"$VALE_CTL" -o no_timestamp=1 || fail "cannot set no_timestamp"
grep -q 'parameter vale_age = 20' "$dir/log" || fail "the log has no word of it"
refused 'must be 0 to 2' "$VALE_CTL" -o admode=3
refused 'cannot be changed' "$VALE_CTL" -o max_bridges=9
refused 'no parameter' "$VALE_CTL" -o nonsense=1
refused 'No such' "$VALE_CTL" -o nonsense
is vale_age 20
"$VALE_CTL" >/dev/null || fail "the listing exits with $?"
stop

# The file of the private directory comes before the one of the user's configuration.
echo 'vale_age = 40' >"$dir/config/netmap/netmapd.conf"
start
is vale_age 40
stop
printf '# comment\n\n  fdb_buckets=0x40   # a small table\n vale_age =\t50\n' >"$dir/netmap/netmapd.conf"
start
is vale_age 50
is fdb_buckets 64
stop
echo 'generic_ringsize = 512' >"$dir/other"
start --config "$dir/other"
is vale_age 300
is generic_ringsize 512
stop
# Errors have their place.
refused "$dir/missing: " "$NETMAPD" --config "$dir/missing"
for line in nonsense 'vale_age 5' 'vale_age = ' 'vale_age = -1' 'vale_age = x' 'vale_age = 1000001' 'nothing = 1' 'buf_num = 1'; do
	printf '# one\n%s\n' "$line" >"$dir/other"
	refused "$dir/other:2: " "$NETMAPD" --config "$dir/other"
done
refused 'Is a directory' "$NETMAPD" --config "$dir"
[ ! -e "$dir/netmap/netmapd.sock" ] || fail "a socket is left behind"

# Forwarding tables.
start
"$PKT_GEN" -i vale0:b -f rx >"$dir/rx" 2>&1 &
rx=$!
"$PKT_GEN" -i vale0:a -f tx -R 1000 -S 02:00:00:00:00:01 >"$dir/tx" 2>&1 &
tx=$!
n=0
while ! "$VALE_CTL" -T vale0 2>&1 | grep -q '^02:00:00:00:00:01 .* s  vale0:a$'; do
	n=$((n + 1))
	[ $n -lt 100 ] || { "$VALE_CTL" -T vale0; fail "nothing is learned"; }
	sleep 0.1
done
"$VALE_CTL" -T vale0 | grep -q '^1 of 256 entries, forgotten after 50 s$' || fail "the table's size"
"$VALE_CTL" -S vale0:b=02:00:00:00:00:aa || fail "cannot make a static entry"
"$VALE_CTL" -S vale0:b=02:00:00:00:00:01 || fail "cannot make a learned entry static"
sleep 0.3
"$VALE_CTL" -T vale0 >"$dir/out"
grep -q '^02:00:00:00:00:aa .* static  vale0:b$' "$dir/out" || { cat "$dir/out"; fail "no static entry"; }
grep -q '^02:00:00:00:00:01 .* static  vale0:b$' "$dir/out" || { cat "$dir/out"; fail "it was learned over"; }
"$VALE_CTL" -T vale0 -j | grep -q '"static": true' || fail "JSON of a table"
"$VALE_CTL" -R vale0=02:00:00:00:00:aa || fail "cannot remove an entry"
refused 'does not know' "$VALE_CTL" -R vale0=02:00:00:00:00:aa
refused 'no single station' "$VALE_CTL" -S vale0:b=01:00:00:00:00:aa
refused 'no single station' "$VALE_CTL" -S vale0:b=00:00:00:00:00:00
refused 'no switch has a port' "$VALE_CTL" -S vale0:c=02:00:00:00:00:aa
refused 'no switch' "$VALE_CTL" -R vale1=02:00:00:00:00:aa
refused 'no switch' "$VALE_CTL" -T vale1
refused 'no switch' "$VALE_CTL" -T a-name-that-no-switch-can-have
kill -INT $tx $rx
wait $tx $rx
stop
exit 0
