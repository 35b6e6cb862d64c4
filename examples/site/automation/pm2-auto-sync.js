// Brings the work tree to its remote, again and again. PM2 keeps it running.
'use strict';
const { spawnSync } = require('child_process');

const remote = process.env.AUTO_SYNC_REMOTE || 'origin';
const branch = process.env.AUTO_SYNC_BRANCH || 'main';
const interval = Math.max(1, Number(process.env.AUTO_SYNC_INTERVAL) || 60) * 1000;

function sync() {
  for (const args of [['fetch', '--quiet', remote, branch], ['merge', '--ff-only', '--quiet', 'FETCH_HEAD']]) {
    const git = spawnSync('git', args, { encoding: 'utf8' });
    if (git.status !== 0) {
      console.error(`git ${args[0]} failed: ${(git.stderr || String(git.error)).trim()}`);
      return;
    }
  }
  console.log(`at ${remote}/${branch}`);
}

sync();
const timer = setInterval(sync, interval);
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => clearInterval(timer));
