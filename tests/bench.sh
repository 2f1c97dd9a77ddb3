#!/usr/bin/env bash
# Measures tlsdebug diagnose against grep and wc on the same files in one run: times as ratios, peak memory.
# Times are processor time, the least of ROUNDS (3) rounds, so that other work on the machine counts little.
# The files are made from tests/logs in the user's cache folder (3.5 GB) once and used again.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
fail() {
	printf 'bench.sh: %s\n' "$@" >&2
	exit 1
}
[[ -x /usr/bin/time ]] || fail '/usr/bin/time is missing, which tells the peak memory' 'Install it: apt-get install time'
cache=${XDG_CACHE_HOME:-$HOME/.cache}/tlsdebug
folder=$cache/bench
rounds=${ROUNDS:-3}
mkdir -p "$folder"

# Every line that a JVM prints, once: 4 application lines for each line of debug output, which stand between records, as
# threads write a record at once. A tenth stands within records, as another process on the same stream would write them.
mixed() {
	awk '
		function application(count) {
			while (count-- > 0) {
				n++
				split("INFO DEBUG WARN INFO ERROR INFO", level, " ")
				printf "2026-11-23 14:%02d:%02d,%03d %-5s [pool-%d-thread-%d] com.example.orders.service.%s - %s order=%d customer=C%06d total=%d.%02d items=%d\n", \
					n / 60000 % 60, n / 1000 % 60, n % 1000, level[n % 6 + 1], n % 3, n % 16, \
					(n % 2 ? "OrderService" : "InvoiceMapper"), (n % 5 ? "Processing finished in time," : "Mapping of a document with namespaces,"), \
					n, n * 7919 % 1000000, n % 900, n % 100, n % 12
			}
		}
		/^javax\.net\.ssl\|/ { application(owed); owed = 0 }
		{ print; if (++lines % 10 == 0) application(4); else owed += 4 }
		END { application(owed) }
	' "$@"
}

# repeated NAME BYTES COMMAND…: what the command prints, again and again until there are so many bytes.
repeated() {
	local name=$1 bytes=$2 block size
	shift 2
	if [[ -s $folder/$name ]]; then
		return
	fi
	block=$(mktemp "$folder/block.XXXXXX")
	"$@" >"$block"
	size=$(stat --format %s "$block")
	for ((done = 0; done < bytes; done += size)); do
		cat "$block"
	done >"$folder/$name.part"
	rm "$block"
	mv "$folder/$name.part" "$folder/$name"
}

gib=$((1 << 30))
shopt -s nullglob
modern=()
legacy=()
for log in tests/logs/*.log; do
	case $log in
	*/8u252-* | */ibm-?-legacy-*) legacy+=("$log") ;;
	*) modern+=("$log") ;;
	esac
done
key=$(cat "${modern[@]}" "${legacy[@]}" tests/bench.sh | sha256sum)
if [[ $key != "$(cat "$folder/key" 2>/dev/null)" ]]; then
	echo "bench.sh: making the files in $folder" >&2
	rm -f "$folder"/*
	echo "$key" >"$folder/key"
fi
repeated mixed.log "$gib" mixed "${modern[@]}"
repeated debug.log $((gib / 2)) cat "${modern[@]}"
repeated legacy.log $((gib / 2)) cat "${legacy[@]}"

program=${TLSDEBUG:-}
if [[ -z $program ]]; then
	tests/image.sh "$cache/image" >&2
	program=$cache/image/tlsdebug
fi

# run COMMAND…: its processor time in seconds into `seconds` and its peak memory in MiB into `peak`; 0 and 1 are good ends.
# Not into /dev/null: grep would stop at the first match. The shell tells milliseconds; GNU time cuts each part to hundredths,
# which is a tenth of grep's time.
run() {
	local status=0 TIMEFORMAT='%3U %3S'
	{ time /usr/bin/time --quiet --format %M --output "$folder/peak" "$@" >"$folder/output" 2>&3 || status=$?; } \
		3>&2 2>"$folder/time"
	((status < 2)) || fail "$* ended with $status"
	read -r seconds peak < <(tail -qn 1 "$folder/time" "$folder/peak" | xargs |
		awk '{ printf "%.3f %.1f\n", $1 + $2, $3 / 1024 }')
}
least() { awk -v a="$1" -v b="$2" 'BEGIN { print a < b ? a : b }'; }

printf '%-12s %9s %9s %9s %9s %9s %9s %9s\n' file MiB tlsdebug GB/s grep 'of grep' 'of wc' 'peak MiB'
for name in mixed debug legacy; do
	file=$folder/$name.log
	cat "$file" >/dev/null
	ours=99999 grep=99999 wc=99999
	for ((round = 0; round < rounds; round++)); do
		run grep -c javax.net.ssl "$file"
		grep=$(least "$grep" "$seconds")
		run wc -l "$file"
		wc=$(least "$wc" "$seconds")
		run "$program" diagnose "$file"
		ours=$(least "$ours" "$seconds")
	done
	awk -v name="$name" -v bytes="$(stat --format %s "$file")" -v ours="$ours" -v grep="$grep" -v wc="$wc" -v peak="$peak" 'BEGIN {
		printf "%-12s %9d %8.3fs %9.2f %8.3fs %9.2f %9.2f %9.1f\n", name, bytes / 2 ^ 20, ours, bytes / 1e9 / ours, grep, ours / grep, ours / wc, peak }'
done
ten=()
for ((part = 0; part < 10; part++)); do
	ten+=("$folder/mixed.log")
done
run "$program" diagnose - < <(cat "${ten[@]}") 2>"$folder/news"
awk -v ours="$seconds" -v peak="$peak" -v bytes="$((10 * $(stat --format %s "$folder/mixed.log")))" 'BEGIN {
	printf "%-12s %9d %8.3fs %9.2f %9s %9s %9s %9.1f\n", "mixed, piped", bytes / 2 ^ 20, ours, bytes / 1e9 / ours, "-", "-", "-", peak }'
