#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# netmap-run: an unmodified program gets its netmap descriptors, with an exit status, a signal and an LD_PRELOAD
# of its own. Arguments: netmap-run as built, a library to stand in for libnetmap.so, a program not linked with it.
set -u
script=$1 library=$(readlink -f "$2") program=$(readlink -f "$3")

# Installed, as it were: bin/netmap-run beside lib/libnetmap.so.0.
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkdir "$dir/bin" "$dir/lib"
cp "$script" "$dir/bin/netmap-run" || exit 1
ln -s "$library" "$dir/lib/libnetmap.so.0"
run=$dir/bin/netmap-run

failed=0
expect() {
	if [ "$2" != "$3" ]; then
		echo "$1: expected '$2', got '$3'" >&2
		failed=1
	fi
}

expect "--library" "$library" "$("$run" --library)"
"$run" --help | grep -q "usage: netmap-run" || expect "--help" "a usage line" "none"
"$run" >/dev/null 2>&1
expect "no program" 125 $?
"$run" --nonsense true >/dev/null 2>&1
expect "unknown option" 125 $?
"$run" /nonexistent/program 2>/dev/null
expect "not found" 127 $?
"$run" -- sh -c 'exit 42'
expect "exit status" 42 $?
(ulimit -c 0; "$run" sh -c 'kill -TERM $$') 2>/dev/null
expect "signal" 143 $?
expect "LD_PRELOAD" "$library:libdl.so.2" "$(LD_PRELOAD=libdl.so.2 "$run" sh -c 'echo $LD_PRELOAD')"

if [ ! -c /dev/netmap ]; then
	"$program" 2>/dev/null
	expect "without it" 1 $?
	"$run" "$program"
	expect "with it" 0 $?
	NETMAP_HOST=kernel "$run" "$program" 2>/dev/null
	expect "NETMAP_HOST=kernel" 1 $?
	# From a symbolic link as well.
	ln -s "$run" "$dir/link"
	"$dir/link" "$program"
	expect "by a link" 0 $?
fi
NETMAP_HOST=user "$run" "$program"
expect "NETMAP_HOST=user" 0 $?
exit $failed
