#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Compiles everything that knows about barriers, layouts or system calls for aarch64. Objects go to the folder given.
set -eu
cd "$(dirname "$0")/.."
out=$1
cc=aarch64-linux-gnu-gcc
mkdir -p "$out"
n=0
for f in engine/*.c host/*.c libnetmap/*.c; do
	$cc -std=gnu11 -O2 -Wall -Wextra -Wno-unused-parameter -Werror -fno-strict-aliasing -D_GNU_SOURCE -Iinclude -I. -c "$f" \
		-o "$out/$(echo "$f" | tr / _).o"
	n=$((n + 1))
done
echo "$n files compiled for aarch64"
