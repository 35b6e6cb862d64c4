#!/bin/sh
# Shows git-sync on a repository made for it: demo.sh REDUNDCTL
# Nothing outside a temporary folder is touched, and that goes at the end.
set -eu

redundctl=${1:?usage: demo.sh REDUNDCTL}
pipeline=$(cd "$(dirname "$0")/../.." && pwd)/pipelines/pm2/git-sync.yaml
dir=$(mktemp -d)
trap '"$redundctl" -C "$dir/site" stop --force >/dev/null 2>&1 || :; rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM

echo
echo 'redundctl at work: a site whose server has drifted from its repository is brought back by a pipeline, pipelines/pm2/git-sync.yaml.'
echo "All of it happens in $dir, which is removed at the end. A line that begins with == says which command comes next."

export HOME="$dir" GIT_CONFIG_GLOBAL="$dir/gitconfig" GIT_CONFIG_NOSYSTEM=1 GIT_TERMINAL_PROMPT=0
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE AUTO_SYNC_REMOTE AUTO_SYNC_BRANCH AUTO_SYNC_STRATEGY AUTO_SYNC_CLEAN AUTO_SYNC_GC
git config --global user.name Demo
git config --global user.email demo@example.com
git config --global init.defaultBranch main

say() { printf '\n== %s\n' "$*"; }
commit() { git -C "$1" add -A && git -C "$1" commit -q -m "$2"; }

git init -q --bare "$dir/remote.git"
git clone -q "$dir/remote.git" "$dir/ann" 2>/dev/null
mkdir -p "$dir/ann/pipelines/pm2"
cp "$pipeline" "$dir/ann/pipelines/pm2/"
echo '<h1>Hello</h1>' >"$dir/ann/index.html"
commit "$dir/ann" 'Start the site'
git -C "$dir/ann" push -q origin HEAD:main

git clone -q "$dir/remote.git" "$dir/site"
echo '<h1>Hello, world</h1>' >"$dir/ann/index.html"
commit "$dir/ann" 'Greet the world'
git -C "$dir/ann" push -q origin HEAD:main

echo 'a hotfix' >"$dir/site/hotfix.txt"
commit "$dir/site" 'A hotfix that was never pushed'
echo '<h1>Edited on the server</h1>' >"$dir/site/index.html"
echo 'not in git' >"$dir/site/notes.txt"
git -C "$dir/site" fetch -q

say 'A site that is behind its remote, with work of its own'
git -C "$dir/site" status --short --branch

say 'redundctl run git-sync --dry-run: what would happen'
"$redundctl" -C "$dir/site" run git-sync --dry-run

say 'redundctl run git-sync'
"$redundctl" -C "$dir/site" run git-sync

say 'The site is at its remote'
git -C "$dir/site" status --short --branch
cat "$dir/site/index.html"

say 'redundctl runs, redundctl report'
"$redundctl" -C "$dir/site" runs
"$redundctl" -C "$dir/site" report

say 'redundctl backups: where the work of its own went'
"$redundctl" -C "$dir/site" backups --verify

id=$(git -C "$dir/site" for-each-ref --format='%(refname:lstrip=3)' --sort=-refname --count=1 refs/redund/backups)
say "redundctl restore $id: and back it comes"
"$redundctl" -C "$dir/site" restore "$id"
git -C "$dir/site" status --short --branch
cat "$dir/site/index.html" "$dir/site/hotfix.txt" "$dir/site/notes.txt"

# until what is looked for stands in what a command prints
until_seen() {
	pattern=$1
	shift
	for _ in $(seq 100); do
		"$redundctl" -C "$dir/site" "$@" | grep -q "$pattern" && return
		sleep 0.05
	done
	echo "demo.sh: redundctl $* never printed $pattern" >&2
	exit 1
}
file="$dir/site/pipelines/pm2/git-sync.yaml"

say 'redundctl start: the engine keeps the schedules'
"$redundctl" -C "$dir/site" start
"$redundctl" -C "$dir/site" status git-sync

say "redundctl reschedule git-sync '*/30 * * * *': the schedule changes in the file, and holds at once"
"$redundctl" -C "$dir/site" next git-sync -n 2
"$redundctl" -C "$dir/site" reschedule git-sync '*/30 * * * *'
until_seen 'generation 2' status
"$redundctl" -C "$dir/site" next git-sync -n 2

say 'A file is broken (schedul: ...): its last good form stays in force'
cp "$file" "$dir/good.yaml"
echo 'schedul: {cron: "0 4 * * *"}' >>"$file"
until_seen '^rejected' status
"$redundctl" -C "$dir/site" status git-sync

say 'redundctl plan: what the files on disk would change'
"$redundctl" -C "$dir/site" plan
cp "$dir/good.yaml" "$file"
until_seen 'nothing would change' plan

say 'redundctl stop'
"$redundctl" -C "$dir/site" stop
echo
echo 'That was all. Next: docs/tutorial.md begins a project of your own, redundctl --help lists the commands.'
