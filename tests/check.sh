#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# All tests: the plain build (gcc), AddressSanitizer and UndefinedBehaviorSanitizer (clang), ThreadSanitizer (gcc, what has threads), and the cross-compiled
# sources. Ends with the line "N passed, N failed, N skipped"; exit status 0 only if nothing failed.
set -u
cd "$(dirname "$0")/.."
top=build-check
passed=0 failed=0 skipped=0

# count LOG: adds up meson's own summary.
count()
{
	local ok fail skip timeout
	ok=$(sed -n 's/^Ok: *//p' "$1" | tail -n 1)
	fail=$(sed -n 's/^Fail: *//p' "$1" | tail -n 1)
	timeout=$(sed -n 's/^Timeout: *//p' "$1" | tail -n 1)
	skip=$(sed -n 's/^Skipped: *//p' "$1" | tail -n 1)
	if [ -z "$ok" ]; then
		failed=$((failed + 1))
		return
	fi
	passed=$((passed + ok))
	failed=$((failed + fail + ${timeout:-0}))
	skipped=$((skipped + ${skip:-0}))
}

# stage NAME COMPILER SUITE-OPTIONS SETUP-OPTIONS...: configures, builds, tests.
stage()
{
	local name=$1 cc=$2 cxx=g++ suites=$3 dir=$top/$1 log=$top/$1.log
	[ "$cc" = gcc ] || cxx=clang++
	shift 3
	echo "== $name"
	if [ ! -f "$dir/build.ninja" ] && ! CC=$cc CXX=$cxx meson setup "$dir" -Dwerror=true "$@" >"$log" 2>&1; then
		tail -n 20 "$log"
		failed=$((failed + 1))
		return
	fi
	if ! ninja -C "$dir" >"$log" 2>&1; then
		grep -E -A 5 'error|FAILED' "$log" | head -n 40
		failed=$((failed + 1))
		return
	fi
	# shellcheck disable=SC2086
	meson test -C "$dir" --no-rebuild --print-errorlogs --num-processes 2 $suites 2>&1 | tee "$log" | grep -v '^ninja:'
	count "$log"
}

mkdir -p $top
stage gcc gcc ""
stage asan clang "--no-suite plain-only" -Db_sanitize=address,undefined -Db_lundef=false
# ThreadSanitizer does not follow fences: the ABI has some, the engine has a stand-in.
stage tsan gcc "--suite threads --suite engine --no-suite one-thread" -Db_sanitize=thread -Db_lundef=false -Dc_args=-Wno-tsan -Dcpp_args=-Wno-tsan

echo "== aarch64 (compiled, not run)"
if tests/aarch64.sh $top/aarch64; then
	passed=$((passed + 1))
else
	failed=$((failed + 1))
fi

echo
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
