#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Switch modules with netmapd and the modules that come with it: what loads and what does not, who may, and what they do.
# Environment: NETMAPD, PKT_GEN, VALE_CTL, MODULES, WRONG_MODULES; usage: modules.sh SOURCE-DIRECTORY
here=$1
. "$here/lib.sh"
private_dir
mkdir -m 0700 "$dir/netmap" "$dir/m"
cp "$MODULES/ipv4_route.so" "$MODULES/flow_hash.so" "$WRONG_MODULES"/wrong_abi.so "$WRONG_MODULES"/no_symbol.so "$WRONG_MODULES"/strange.so "$dir/m"
chmod 0755 "$dir"/m/*.so
ln -s ipv4_route.so "$dir/m/link.so"
cp "$dir/m/ipv4_route.so" "$dir/m/open.so"
chmod 0777 "$dir/m/open.so"
echo "this is no object" >"$dir/m/text.so"

refused()	# WHAT COMMAND...: that it fails, and says so
{
	what=$1
	shift
	"$@" >"$dir/out" 2>&1 && fail "this was accepted: $*"
	grep -q -e "$what" "$dir/out" || { cat "$dir/out"; fail "$* does not say \"$what\""; }
}

said()	# TEXT COMMAND...: that it says so
{
	what=$1
	shift
	"$@" >"$dir/out" 2>&1 || { cat "$dir/out"; fail "$*"; }
	grep -q -e "$what" "$dir/out" || { cat "$dir/out"; fail "$* does not say \"$what\""; }
}

until_open()	# PORT
{
	n=0
	while ! "$VALE_CTL" | grep -qF "$1 "; do
		n=$((n + 1))
		[ $n -lt 100 ] || fail "$1 was never opened"
		sleep 0.1
	done
}

# received PORT: packets that its receive ring got
received()
{
	"$VALE_CTL" -j -l "$1" | tr -d ' \n' | sed 's/.*"rx":{"packets":\([0-9]*\).*/\1/'
}

echo "module.vale5 = flow_hash" >"$dir/conf"
"$NETMAPD" -f --module-dir "$dir/m" -c "$dir/conf" 2>"$dir/log" &
daemon=$!
n=0
while [ ! -S "$dir/netmap/netmapd.sock" ]; do
	n=$((n + 1))
	[ $n -lt 100 ] || { cat "$dir/log"; fail "netmapd does not start"; }
	sleep 0.1
done

# The one of the configuration is there, without ports.
said 'vale5 .* 0 *no *netmapd *flow_hash' "$VALE_CTL" --switches

# Owners.
token=$("$VALE_CTL" --own vale0) || fail "--own"
refused 'there is a switch' "$VALE_CTL" --own vale0
refused 'token' "$VALE_CTL" --module vale0=ipv4_route
refused 'token' "$VALE_CTL" --token 12345 --module vale0=ipv4_route
refused 'there is no switch' "$VALE_CTL" --module vale9=ipv4_route
refused 'token' "$VALE_CTL" --token 12345 --disown vale0
"$VALE_CTL" -n vi0 || fail "-n"
refused 'token' "$VALE_CTL" -a vale0:vi0
"$VALE_CTL" --token "$token" -a vale0:vi0 || fail "-a with the token"
refused 'ports are on it' "$VALE_CTL" --token "$token" --disown vale0
refused 'token' "$VALE_CTL" -d vale0:vi0
"$VALE_CTL" --token "$token" -d vale0:vi0 || fail "-d with the token"

# What does not load.
refused 'no such file' "$VALE_CTL" --token "$token" --module vale0=nothing
refused 'ABI' "$VALE_CTL" --token "$token" --module vale0=wrong_abi
refused 'no symbol' "$VALE_CTL" --token "$token" --module vale0=no_symbol
refused 'symbolic link' "$VALE_CTL" --token "$token" --module vale0=link
refused 'not writable' "$VALE_CTL" --token "$token" --module vale0=open
refused 'cannot be loaded' "$VALE_CTL" --token "$token" --module vale0=text
refused 'name of a module' "$VALE_CTL" --token "$token" --module vale0=../m/ipv4_route
chmod 0777 "$dir/m"
refused 'directory must be' "$VALE_CTL" --token "$token" --module vale0=ipv4_route
chmod 0700 "$dir/m"
refused 'Invalid' "$VALE_CTL" --config vale0=flush

# Routes.
"$VALE_CTL" --token "$token" --module vale0=ipv4_route || fail "--module"
refused 'Invalid' "$VALE_CTL" --config "vale0=add 10.0.0.0/33 1"
refused 'Invalid' "$VALE_CTL" --config "vale0=add 10.0.0.0/8 254"
refused 'No such' "$VALE_CTL" --config "vale0=del 10.0.0.0/8"
refused 'Invalid' "$VALE_CTL" --config "vale9=flush"
said 'ok, 1 routes' "$VALE_CTL" --config "vale0=add 10.0.0.0/8 0"
said 'ok, 2 routes' "$VALE_CTL" --config "vale0=add 10.1.0.0/16 1 02:00:00:00:00:01 02:00:00:00:00:02"
"$PKT_GEN" -i vale0:r0 -f rx >"$dir/r0" 2>&1 &
r0=$!
until_open vale0:r0
"$PKT_GEN" -i vale0:r1 -f rx >"$dir/r1" 2>&1 &
r1=$!
until_open vale0:r1
said "^vale0: 2 ports (module ipv4_route, forwarded by netmapd)" "$VALE_CTL" -l vale0
"$PKT_GEN" -i vale0:t -f tx -n 1000 -R 20000 -d 10.2.3.4 >/dev/null 2>&1 || fail "pkt-gen"
"$PKT_GEN" -i vale0:t -f tx -n 2000 -R 20000 -d 10.1.3.4 >/dev/null 2>&1 || fail "pkt-gen"
"$PKT_GEN" -i vale0:t -f tx -n 500 -R 20000 -d 11.1.3.4 >/dev/null 2>&1 || fail "pkt-gen"
[ "$(received vale0:r0)" = 1000 ] || fail "route by 8 bits: $(received vale0:r0) of 1000"
[ "$(received vale0:r1)" = 2000 ] || fail "route by 16 bits: $(received vale0:r1) of 2000"

# Answers that mean nothing, and learning again, with a worker.
"$VALE_CTL" --token "$token" --module vale0=strange || fail "--module"
"$PKT_GEN" -i vale0:t -f tx -n 100 -d 10.2.3.4 >/dev/null 2>&1 || fail "pkt-gen"
[ "$(received vale0:r0)" = 1000 ] || fail "a packet to port 1000 arrived"
grep -q 'module strange sends to port 1000' "$dir/log" || fail "the log does not tell of port 1000"
"$VALE_CTL" --token "$token" --module vale0= || fail "--module with nothing"
said "^vale0: 2 ports (learning, forwarded by netmapd)" "$VALE_CTL" -l vale0
"$PKT_GEN" -i vale0:t -f tx -n 100 -R 20000 >/dev/null 2>&1 || fail "pkt-gen"
[ "$(received vale0:r0)" = 1100 ] || fail "learning: $(received vale0:r0) of 1100"

# Flows: one goes to one port, many go to both.
"$VALE_CTL" --token "$token" --module vale0=flow_hash || fail "--module"
refused 'Invalid' "$VALE_CTL" --config "vale0=ports 0,0"
"$VALE_CTL" --config "vale0=ports 0,1" >/dev/null || fail "--config"
before=$(($(received vale0:r0)))
before1=$(($(received vale0:r1)))
"$PKT_GEN" -i vale0:t -f tx -n 1000 -R 20000 -d 10.2.3.4 >/dev/null 2>&1 || fail "pkt-gen"
got=$(($(received vale0:r0) - before))
got1=$(($(received vale0:r1) - before1))
[ "$got $got1" = "1000 0" ] || [ "$got $got1" = "0 1000" ] || fail "one flow went to both: $got and $got1"
"$PKT_GEN" -i vale0:t -f tx -n 1000 -R 20000 -d 10.2.3.1-10.2.3.200 >/dev/null 2>&1 || fail "pkt-gen"
all=$(($(received vale0:r0) - before - got))
all1=$(($(received vale0:r1) - before1 - got1))
[ $((all + all1)) = 1000 ] && [ $all -gt 200 ] && [ $all1 -gt 200 ] || fail "200 flows: $all and $all1"

kill "$r0" "$r1"
n=0
until "$VALE_CTL" --token "$token" --disown vale0 2>/dev/null; do
	n=$((n + 1))
	[ $n -lt 50 ] || fail "--disown"
	sleep 0.1
done
kill "$daemon"
wait "$daemon" || { cat "$dir/log"; fail "netmapd ended with $?"; }
