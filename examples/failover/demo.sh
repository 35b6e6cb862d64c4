#!/bin/sh
# Shows failover: demo.sh REDUNDCTL [PM2]. A primary delivers its slots, fails, falls silent and turns up late; a service is taken
# over from a real PM2, whose program is the second argument, and handed back. It takes less than a minute.
# Nothing outside a temporary folder is touched, and that goes at the end.
set -eu

redundctl=${1:?usage: demo.sh REDUNDCTL [PM2]}
pm2=${2:-}
here=$(cd "$(dirname "$0")" && pwd)
dir=$(mktemp -d)
export HOME="$dir" PM2_HOME="$dir/pm2" NO_COLOR=1
trap '"$redundctl" -C "$dir/site" stop --force >/dev/null 2>&1 || :; [ -z "$pm2" ] || node "$pm2" kill >/dev/null 2>&1 || :; rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM

say() { printf '\n== %s\n' "$*"; }
mkdir "$dir/site"
cp -r "$here/redund.yaml" "$here/pipelines" "$here/primary.mjs" "$here/worker.mjs" "$dir/site"
cd "$dir/site"
if [ -z "$pm2" ]; then
	rm pipelines/pm2/worker.yaml
fi

# until what is looked for stands in what a command prints
until_seen() {
	pattern=$1
	shift
	for _ in $(seq 300); do
		"$redundctl" "$@" | grep -q "$pattern" && return
		sleep 0.1
	done
	echo "demo.sh: redundctl $* never printed $pattern" >&2
	exit 1
}
original() { node "$pm2" "$@" >/dev/null 2>&1; }

if [ -n "$pm2" ]; then
	say 'A worker runs under PM2'
	original start worker.mjs --name worker
	echo 'pm2 start worker.mjs --name worker'
fi

say 'redundctl start: an engine watches a scheduled function, due every six seconds, and what PM2 runs'
# Begun right before a slot, the engine would have one that the function knows nothing of.
node -e 'const left = 6000 - Date.now() % 6000; setTimeout(() => {}, left < 4000 ? left : 0)'
"$redundctl" start

say 'The function delivers a slot, fails, is silent, and comes late'
node primary.mjs .redund/redund.sock
until_seen '^4 .*succeeded' runs digest

say 'redundctl runs: the backup ran for three of four slots'
"$redundctl" runs digest

say 'Each digest was sent once'
cat sent.log

for slot in $("$redundctl" runs digest | sed -n 's/.*-\(succeeded\|failed\|missing\)  *\([0-9T:.+Z-]*\).*/\2/p' | sort); do
	say "redundctl why digest $slot"
	"$redundctl" why digest "$slot"
done

if [ -n "$pm2" ]; then
	say 'The worker is gone from PM2: its service takes over'
	original delete worker
	until_seen 'in place of its primary' status
	"$redundctl" status worker
	say 'It is there again: the service hands back'
	original start worker.mjs --name worker
	until_seen 'stopped: its primary: worker is online' status
	"$redundctl" status worker
	"$redundctl" logs worker
fi

say 'redundctl stop'
"$redundctl" stop
