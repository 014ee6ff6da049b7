#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Runs what README.md and docs/tutorial.md tell people to type. Each command is looked up in its document first: one that is not there any
# more fails the test, so that documents and test stay together.
# usage: commands.sh SOURCE-DIR BUILD-DIR COMPILER...
set -u

source=$1
build=$2
shift 2
compiler=$*
work=$(mktemp -d) || exit 1
spaces=
failed=0

finish()
{
	for pid in $(jobs -p); do
		kill "$pid" 2>/dev/null
	done
	for space in $spaces; do
		ip netns del "$space" 2>/dev/null
	done
	wait
	rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' INT TERM

chmod 0755 "$work"
mkdir -m 0700 "$work/run"
export PATH="$build/apps/pkt-gen:$build/apps/bridge:$build/apps/vale-ctl:$PATH"
export XDG_RUNTIME_DIR="$work/run"
unset NETMAP_SOCKET NETMAP_HOST
cd "$work" || exit 1

fail()
{
	echo "FAIL: $*"
	failed=1
}

# said DOCUMENT LINE: the document has this line.
said()
{
	grep -qxF -e "$2" "$source/$1" || fail "$1 does not say: $2"
}

# until_shown PORT: its counters are there, so somebody has opened it
until_shown()
{
	tries=0
	while ! vale-ctl 2>/dev/null | grep -qF -e "$1 "; do
		tries=$((tries + 1))
		[ $tries -lt 100 ] || { fail "$1 was never opened"; return; }
		sleep 0.1
	done
}

# shows FILE PATTERN: a line of it matches
shows()
{
	grep -qE -e "$2" "$1" || { fail "no line like '$2' in:"; cat "$1"; }
}

# block DOCUMENT LANGUAGE N: the N-th block of code in that language
block()
{
	awk -v fence="\`\`\`$2" -v want="$3" '
		$0 == fence && !inside { inside = 1; n++; next }
		/^```$/ { inside = 0; next }
		inside && n == want' "$source/$1"
}

# The programs of the tutorial.
build_programs()
{
	block docs/tutorial.md c 1 >count.c
	block docs/tutorial.md c 2 >workers.c
	for program in count workers; do
		# shellcheck disable=SC2086
		$compiler -O2 -Wall -Wextra -Werror -pthread -o $program $program.c -I"$source/include" -L"$build/libnetmap" \
			-Wl,-rpath,"$build/libnetmap" -lnetmap || { fail "$program.c cannot be built"; exit 1; }
	done
}

# A receiver and a sender, as the first steps have them; bounded here, since they run until they are stopped.
first_steps()
{
	for document in README.md docs/tutorial.md; do
		said $document 'pkt-gen -i vale0:b -f rx'
		said $document 'pkt-gen -i vale0:a -f tx'
		said $document 'vale-ctl'
	done
	pkt-gen -i vale0:b -f rx -W >rx.log 2>&1 &
	until_shown vale0:b
	pkt-gen -i vale0:a -f tx -n 100000 >tx.log 2>&1 || fail "the sender ended with $?"
	vale-ctl >list.log 2>&1 || fail "vale-ctl ended with $?"
	wait $!
	shows tx.log '^Sent 100000 packets'
	shows rx.log '^Received [1-9][0-9]* packets'
	shows list.log '^vale0:b '
}

count_packets()
{
	said docs/tutorial.md './count vale0:b'
	said docs/tutorial.md 'pkt-gen -i vale0:a -f tx -n 1000 -R 10000'
	./count vale0:b >count.log &
	until_shown vale0:b
	pkt-gen -i vale0:a -f tx -n 1000 -R 10000 >/dev/null 2>&1
	wait $!
	shows count.log '^1000 packets, 60000 bytes$'
}

pipe_packets()
{
	said docs/tutorial.md './count netmap:tut}1'
	said docs/tutorial.md 'pkt-gen -i netmap:tut{1 -f tx -n 5000000'
	./count 'netmap:tut}1' >pipe.log &
	until_shown 'tut}1'
	pkt-gen -i 'netmap:tut{1' -f tx -n 5000000 >/dev/null 2>&1
	wait $!
	shows pipe.log '^5000000 packets, 300000000 bytes$'
}

four_threads()
{
	said docs/tutorial.md './count vale0:sink'
	said docs/tutorial.md './workers vale0:w 4'
	./count vale0:sink >sink.log &
	until_shown vale0:sink
	./workers vale0:w 4 >workers.log 2>&1
	wait $!
	shows workers.log '^4 threads sent 100000 packets each$'
	shows sink.log '^[1-9][0-9]* packets'
}

# The block of the bridge, in namespaces with names of our own.
two_links()
{
	own=s/'\<\(left\|mid\|right\)\>'/nmdoc$$-'&'/g
	said docs/tutorial.md 'ip netns exec mid build/apps/bridge/bridge -v -i netmap:toleft -i netmap:toright'
	said docs/tutorial.md 'ip netns exec left ping -c 3 10.9.0.2'
	sed -n '/^ip netns add left/,/^```/p' "$source/docs/tutorial.md" | grep -v '^```' | sed "$own" >links.sh
	spaces="nmdoc$$-left nmdoc$$-mid nmdoc$$-right"
	sh -e links.sh || { fail "the links cannot be made"; return; }
	ip netns exec "nmdoc$$-mid" "$build/apps/bridge/bridge" -w 0 -i netmap:toleft -i netmap:toright >bridge.log 2>&1 &
	bridge=$!
	until_shown toright
	ip netns exec "nmdoc$$-left" ping -c 3 -i 0.2 10.9.0.2 >ping.log 2>&1
	kill -INT $bridge
	wait $bridge
	shows ping.log ' 0% packet loss'
}

build_programs
first_steps
count_packets
pipe_packets
four_threads
if [ "$(id -u)" = 0 ] && ip netns add "nmdoc$$-try" 2>/dev/null; then
	ip netns del "nmdoc$$-try"
	two_links
else
	echo "left out: bridging two links (needs root and network namespaces)"
fi
exit $failed
