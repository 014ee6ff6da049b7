#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# A peer: DPDK's testpmd over net_memif, two processes, one sending (txonly),
# one receiving (rxonly), each forwarding core on a CPU of its own, copy mode,
# rings of 1024. Prints one line of JSON for each frame size, as netmap-bench
# --merge reads them; "skipped" with the reason where it cannot run.
#
# usage: peer_memif.sh [NETMAP-BENCH]     its --trip tells near from far cores
# environment: MEMIF_RUNS (2), MEMIF_SECONDS (3), MEMIF_BURST (64), MEMIF_CPUS ("0 1": receiver, sender)
set -u

bench=${1:-netmap-bench}
runs=${MEMIF_RUNS:-2}
seconds=${MEMIF_SECONDS:-3}
burst=${MEMIF_BURST:-64}
cpus=${MEMIF_CPUS:-0 1}
rx_cpu=${cpus% *}
tx_cpu=${cpus#* }
sizes="64 1518"

skip()
{
	for size in $sizes; do
		printf '{"name": "memif/%s", "skipped": "%s"}\n' "$size" "$1"
	done
	exit 0
}

command -v dpdk-testpmd >/dev/null 2>&1 || skip "dpdk-testpmd is not installed (Debian: dpdk-dev)"
ls /usr/lib/*/dpdk/pmds-*/librte_net_memif.so* >/dev/null 2>&1 ||
	skip "the memif driver is not installed (Debian: librte-net-memif23)"

work=$(mktemp -d) || skip "no temporary directory"
receiver=
sender=

stop()
{
	for pid in $sender $receiver; do
		kill -INT "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
	done
	sender=
	receiver=
}
trap 'stop; rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

# Hugepages if enough are free as it is; the machine's settings stay as they are.
free=$(sed -n 's/^HugePages_Free: *//p' /proc/meminfo)
if [ "$(id -u)" = 0 ] && [ "${free:-0}" -ge 300 ]; then
	memory="--in-memory -m 256"
else
	memory="--no-huge -m 256"
fi

# testpmd ROLE CPU MODE SIZE: the main lcore floats, the forwarding one is pinned
testpmd()
{
	# shellcheck disable=SC2086
	exec timeout -s INT 60 dpdk-testpmd --lcores "0@($rx_cpu,$tx_cpu),1@$2" $memory --no-pci --no-telemetry \
		--file-prefix="nb$1$$" \
		--vdev="net_memif0,role=$1,id=0,socket=$work/memif.sock,socket-abstract=no,rsize=10" -- \
		--forward-mode="$3" --txpkts="$4" --burst="$burst" --total-num-mbufs=16384 \
		--stats-period 1 --auto-start --no-flush-rx >"$work/$1.log" 2>&1 </dev/null
}

# one run at $1 bytes: the median of the receiver's figures, one a second, without the first and the last
run()
{
	rm -f "$work"/*
	testpmd server "$rx_cpu" rxonly "$1" &
	receiver=$!
	tries=0
	while [ ! -S "$work/memif.sock" ] && [ $tries -lt 50 ]; do
		sleep 0.1
		tries=$((tries + 1))
	done
	testpmd client "$tx_cpu" txonly "$1" &
	sender=$!
	sleep $((seconds + 3))
	stop
	grep -a 'Rx-pps:' "$work/server.log" | awk '$2 > 0 { print $2 }' | sed '1d;$d' | median
}

median()
{
	sort -n | awk '{ v[NR] = $1 } END { if (NR) print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

trip()
{
	"$bench" --trip --cpus "$rx_cpu,$tx_cpu" 2>/dev/null | awk '{ print $2 }'
}

for size in $sizes; do
	: >"$work.figures"
	tags=$(trip)
	i=0
	while [ $i -lt "$runs" ]; do
		run "$size" >>"$work.figures"
		tags="$tags $(trip)"
		i=$((i + 1))
	done
	pps=$(median <"$work.figures")
	rm -f "$work.figures"
	# shellcheck disable=SC2086
	cores=$(printf '%s\n' $tags | sort -u)
	case $cores in
	near | far) ;;
	*) cores=mixed ;;
	esac
	if [ -n "$pps" ]; then
		awk -v s="$size" -v p="$pps" -v c="$cores" 'BEGIN {
			printf "{\"name\": \"memif/%s\", \"value\": %.2f, \"unit\": \"Mpps\", \"cores\": \"%s\"}\n", s, p / 1e6, c }'
	else
		reason=$(grep -a -m1 -E 'Cause|EAL: Error|annot' "$work/server.log" "$work/client.log" 2>/dev/null |
			sed 's/^[^:]*://' | tr -d '"\\' | head -1)
		printf '{"name": "memif/%s", "skipped": "testpmd gave no rate: %s"}\n' "$size" "${reason:-no message}"
	fi
done
