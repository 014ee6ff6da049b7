#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# make bench: runs the whole benchmark on what is built in $BUILD, prints the
# table and writes $BUILD/bench-results.json. Arguments go to netmap-bench.
#
# environment: BUILD (build), BENCH_NO_PEER=1 leaves the peer out
set -u

build=${BUILD:-build}
here=$(dirname "$0")
build=$(cd "$build" 2>/dev/null && pwd) || { echo "run.sh: no build directory: ${BUILD:-build}" >&2; exit 1; }
bench=$build/bench/netmap-bench
[ -x "$bench" ] || { echo "run.sh: $bench is not built (is libjansson-dev installed?)" >&2; exit 77; }

# An instance of netmapd of our own, from this build, which leaves with us.
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
chmod 0700 "$work"
export XDG_RUNTIME_DIR="$work"
unset NETMAP_SOCKET
export PATH="$build/netmapd:$build/apps:$PATH"
export LD_LIBRARY_PATH="$build/libnetmap${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"

# Figures measured beside the matrix, a line of JSON each, as netmap-bench --merge reads them:
# {"name": "engine/vale", "value": 17.2, "unit": "ns"} or {"name": "engine/vale", "skipped": "why"}
figures=$work/figures
: >"$figures"
if [ -x "$build/bench/engine-bench" ]; then
	echo "measuring the engine alone ..." >&2
	"$build/bench/engine-bench" >>"$figures" ||
		echo '{"name": "engine", "skipped": "engine-bench failed"}' >>"$figures"
fi
if [ "${BENCH_NO_PEER:-0}" != 1 ]; then
	echo "measuring the peer ..." >&2
	sh "$here/peer_memif.sh" "$bench" >>"$figures"
fi
"$bench" --json "$work/results" --merge "$figures" "$@"
status=$?
[ -f "$work/results" ] && mv "$work/results" "$build/bench-results.json" && echo "results: $build/bench-results.json"
exit $status
