#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# The engine needs nothing but its own headers, the public ABI headers and the compiler's freestanding ones:
# compiles every engine/*.c, and every header of engine/ by itself, with no system header in reach. With gcc
# and clang, and for aarch64 where a cross compiler is installed.
#
# usage: freestanding.sh [COMPILER...]

top=$(cd "$(dirname "$0")/.." && pwd) || exit 1
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT INT TERM

warnings='-Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wno-unused-parameter'
failed=0
compiled=0

compile() {	# compiler source what
	if "$1" -std=gnu11 -O2 -fno-strict-aliasing -ffreestanding -nostdinc \
	    -isystem "$("$1" -print-file-name=include)" $warnings \
	    -I "$top/include" -c "$2" -o "$tmp/out.o"; then
		compiled=$((compiled + 1))
	else
		echo "FAILED: $1 $3"
		failed=1
	fi
}

[ $# -gt 0 ] || set -- gcc clang aarch64-linux-gnu-gcc
for cc; do
	if ! command -v "$cc" >/dev/null; then
		echo "no $cc here: left out"
		continue
	fi
	for source in "$top"/engine/*.c; do
		compile "$cc" "$source" "engine/${source##*/}"
	done
	for header in "$top"/engine/*.h; do
		echo "#include \"$header\"" >"$tmp/header.c"
		compile "$cc" "$tmp/header.c" "engine/${header##*/}"
	done
done

if [ "$compiled" -eq 0 ] && [ "$failed" -eq 0 ]; then
	echo "no compiler"
	exit 77
fi
echo "$compiled compiled"
exit "$failed"
