#!/usr/bin/env bash
# Takes the README's pictures anew, of what really happens on the demo's cluster (make demo first): docs/pictures/terminal.png,
# a session from a terminal, and docs/pictures/page.png, the page of both ends' logs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
fail() {
	printf 'pictures.sh: %s\n' "$@" >&2
	exit 1
}
for program in aha script "${CHROMIUM:-chromium}" node jq; do
	command -v "$program" >/dev/null || fail "$program is missing" 'Install it: apt-get install aha bsdutils chromium nodejs jq'
done
cargo build --quiet
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/bin" docs/pictures
ln -s "$(realpath target/debug/tlsdebug)" "$work/bin/kubectl-tlsdebug"
export PATH=$work/bin:$PATH
tests/cluster/enter.sh demo kubectl --namespace demo get deployment orders-msr bank >/dev/null || fail 'make demo starts what is shown'
tests/cluster/enter.sh demo kubectl config view --raw --minify --flatten >"$work/config"
# A session from a terminal of 112 columns. Of a line that was drawn several times the last state is what one sees.
command='kubectl tlsdebug run deploy/orders-msr --first-failure'
in_demo() { tests/cluster/enter.sh demo env KUBECONFIG="$work/config" "$@"; }
in_demo kubectl config set-context --current --namespace demo >/dev/null
in_demo env TERM=xterm-256color \
	script --quiet --return --command "stty cols 112; $command" "$work/typed" >/dev/null || (($? == 1)) || fail "$command: $(cat "$work/typed")"
{
	printf '<!DOCTYPE html><meta charset="utf-8"><style>body{margin:0;padding:18px 22px;background:#1d2025;color:#d7dae0}
pre{margin:0;font:14px/1.45 "DejaVu Sans Mono",monospace;white-space:pre-wrap;word-break:break-all;width:112ch}b{color:#8fb6ff}</style><pre><b>$</b> %s\n' "$command"
	sed -e '/^Script /d' -e 's/\r$//' -e $'s/.*\r\x1b\\[K//' "$work/typed" | aha --no-header --black
	printf '</pre>'
} >"$work/terminal.html"
node tests/browser/picture.mjs "$work/terminal.html" docs/pictures/terminal.png 1000 1200

# The page of what both ends have printed of the same handshakes.
in_demo kubectl tlsdebug start deploy/orders-msr --peer deploy/bank --name both --duration 5m >/dev/null
seen() { in_demo kubectl get tds both both-peer --output json | jq -e '[.items[].status.findings[]?.cause] | unique | length == 2'; }
for ((attempt = 0; attempt < 240; attempt++)); do
	! seen >/dev/null 2>&1 || break
	sleep 0.25
done
for end in both:client both-peer:server; do
	pod=$(in_demo kubectl get tds "${end%:*}" --output 'jsonpath={.status.pods[0].name}')
	in_demo kubectl logs "$pod" >"$work/${end#*:}.log"
done
in_demo kubectl tlsdebug stop both --wait >/dev/null
in_demo kubectl delete tds both --wait=false >/dev/null
(cd "$work" && kubectl-tlsdebug diagnose --output html client.log server.log >page.html) || true
node tests/browser/picture.mjs "$work/page.html" docs/pictures/page.png 1200 2300
