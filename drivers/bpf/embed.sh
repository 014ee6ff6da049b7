#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# embed.sh OBJECT NAME: writes C source that holds the object's bytes as bpf_NAME, bpf_NAME_size to standard output.
set -eu
echo "/* Made by embed.sh. */"
echo "#include \"bpf_objects.h\""
echo "const unsigned char bpf_$2[] __attribute__((aligned(8))) = {"
od -An -v -tx1 "$1" | sed 's/ \([0-9a-f][0-9a-f]\)/0x\1,/g'
echo "};"
echo "const unsigned int bpf_$2_size = sizeof(bpf_$2);"
