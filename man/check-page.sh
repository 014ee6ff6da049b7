#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Renders a man page; fails if the formatter has anything to say about it.
# usage: check-page.sh PAGE
set -u

command -v man >/dev/null 2>&1 || { echo "skipped: man is not installed (Debian: man-db)"; exit 77; }
# A minimized system has a man that only says so.
man --version >/dev/null 2>&1 || { echo "skipped: man does not work here"; exit 77; }
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

LC_ALL=C.UTF-8 MANWIDTH=100 MANPAGER=cat man --warnings -E UTF-8 -l "$1" >"$work/page" 2>"$work/said" ||
	{ cat "$work/said"; echo "$1: man failed"; exit 1; }
if [ -s "$work/said" ]; then
	cat "$work/said"
	exit 1
fi
[ -s "$work/page" ] || { echo "$1: came out empty"; exit 1; }
