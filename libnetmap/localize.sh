#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# localize.sh DIRECTORY ARCHIVE OBJECTS...: one relocatable object of them all, hidden symbols made local, in an archive.
set -eu
dir=$1 archive=$2
shift 2
mkdir -p "$dir"
${LD:-ld} -r -o "$dir/netmap.o" "$@"
${OBJCOPY:-objcopy} --localize-hidden "$dir/netmap.o"
rm -f "$archive"
${AR:-ar} rcs "$archive" "$dir/netmap.o"
