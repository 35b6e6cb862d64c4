#!/bin/sh
# Shows how the automations of a site come under redundctl: demo.sh REDUNDCTL. A copy of this folder becomes a repository; its workflows,
# PM2 applications and Netlify functions are found and backed up. It takes a few seconds.
# Nothing outside a temporary folder is touched, and that goes at the end.
set -eu

redundctl=${1:?usage: demo.sh REDUNDCTL}
here=$(cd "$(dirname "$0")" && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
export HOME="$dir" GIT_CONFIG_GLOBAL="$dir/gitconfig" GIT_CONFIG_NOSYSTEM=1 NO_COLOR=1
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE NEWSLETTER_KEY MEMBERS_PASSWORD

say() { printf '\n== %s\n' "$*"; }

cp -R "$here" "$dir/site"
rm -rf "$dir/site/node_modules" "$dir/site/.redund" "$dir/site/dist" "$dir/site/pipelines" "$dir/site/redund.yaml"
cd "$dir/site"
git init -q
git add -A
git -c user.name=Demo -c user.email=demo@example.com commit -q -m 'Start the site'

say 'redundctl init: what a site runs at GitHub, under PM2 and at Netlify, and a pipeline for each'
"$redundctl" init .

say 'redundctl validate: all of it is valid at once'
"$redundctl" validate

say 'redundctl coverage: what is backed up, and what is not'
"$redundctl" coverage

say 'redundctl run nightly --dry-run: a workflow, on this machine'
"$redundctl" run nightly --dry-run

say 'redundctl run tide --dry-run: a function, on this machine'
"$redundctl" run tide --dry-run
if command -v node >/dev/null; then
	say 'redundctl run tide'
	"$redundctl" run tide
else
	echo 'node is not installed: the function is not run'
fi

say 'Somebody changes the schedule of tide in netlify.toml: redundctl drift'
sed 's|\*/15|*/10|' netlify.toml >changed && mv changed netlify.toml
if "$redundctl" drift; then
	echo 'demo.sh: redundctl drift saw no change' >&2
	exit 1
fi
echo
echo 'That was all. Next: docs/tutorial-site.md goes through it step by step, docs/import.md says what is found and how.'
