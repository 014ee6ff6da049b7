#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# docs/compatibility.md: each row of its tables names tests, and there are tests of these names.
# usage: compatibility.sh SOURCE-DIR BUILD-DIR
set -u

page=$1/docs/compatibility.md
tests=$(mktemp) || exit 1
trap 'rm -f "$tests"' EXIT
meson introspect --tests "$2" | tr ',' '\n' | sed -n 's/.*"name": "\([^"]*\)".*/\1/p' | sort -u >"$tests"
[ -s "$tests" ] || { echo "no tests are known"; exit 1; }
# A row is a line of three columns which is neither a heading nor the line below it.
awk -F '|' '
	NR == FNR { known[$0] = 1; next }
	!/^\|/ { heading = 1; next }
	heading { heading = 0; next }
	/^\|-/ { next }
	NF != 5 { print "line " FNR " has not three columns: " $0; bad = 1; next }
	{
		rows++
		n = split($4, word, "`")
		if (n < 3) { print "line " FNR " names no test: " $0; bad = 1 }
		for (i = 2; i <= n; i += 2)
			if (!(word[i] in known)) { print "line " FNR ": there is no test " word[i]; bad = 1 }
	}
	END { print rows " rows"; exit bad || rows == 0 }
' "$tests" "$page"
