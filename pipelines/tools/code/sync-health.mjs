// How the branches of this clone stand to their remote. A fetch changes no file
// of the work tree; a push happens only when asked for, and never forces.
import {Failure, duration, finish, main, said, table, words} from './outcome.mjs'
import {ask, git} from './program.mjs'

const {DIRECTORY = '.', REMOTE = 'origin', BRANCHES, MAX_BEHIND, PUSH} = process.env

/** Since when, in ms, the remote has had commits that are not here. */
async function behindSince(branch, tracking) {
  // When this clone first saw one of them: commits may be much older than their push.
  const seen = await ask(DIRECTORY, 'reflog', 'show', '--date=unix', '--format=%H %gd', tracking)
  let since
  for (const line of seen.split('\n').filter(Boolean)) {
    const [, hash, at] = /^(\S+) .*@\{(\d+)\}$/.exec(line) ?? []
    if (!hash || (await ask(DIRECTORY, 'rev-list', '-n', '1', hash, `^${branch}`)) === '') break
    since = Number(at) * 1000
  }
  if (since !== undefined) return since
  const dates = await git(DIRECTORY, 'log', '--format=%ct', `${branch}..${tracking}`)
  return Math.min(...dates.split('\n').map(Number)) * 1000
}

async function look(branch) {
  const local = `refs/heads/${branch}`
  const tracking = `refs/remotes/${REMOTE}/${branch}`
  const here = await ask(DIRECTORY, 'rev-parse', '--verify', '--quiet', local)
  const there = await ask(DIRECTORY, 'rev-parse', '--verify', '--quiet', tracking)
  if (!here || !there) throw new Failure(`branch ${branch}: there is none ${here ? `at ${REMOTE}` : 'in this clone'}: name the ones to look at with the param branches`)
  const [ahead, behind] = (await git(DIRECTORY, 'rev-list', '--left-right', '--count', `${local}...${tracking}`)).split(/\s+/).map(Number)
  const state = ahead && behind ? 'diverged' : ahead ? 'ahead' : behind ? 'behind' : 'in sync'
  const since = behind ? await behindSince(local, tracking) : null
  return {branch, state, ahead, behind, since, local: here, remote: there, pushed: false}
}

main(async () => {
  const limit = duration(MAX_BEHIND, 'max-behind')
  // A branch that is gone at the remote must not look as if it were there still.
  await git(DIRECTORY, 'fetch', '--prune', '--quiet', REMOTE)
  const branches = []
  for (const name of words(BRANCHES)) branches.push(await look(name))
  if (branches.length === 0) throw new Failure('no branch is named: name the ones to look at with the param branches')
  const findings = []
  for (const b of branches) {
    const old = b.since === null ? 0 : Date.now() - b.since
    if (b.state === 'diverged') findings.push(`${b.branch} has diverged from ${REMOTE}: ${b.ahead} commits here and ${b.behind} there`)
    if (b.state === 'behind' && old > limit) findings.push(`${b.branch} is ${b.behind} commits behind ${REMOTE} for ${said(old)}, more than ${MAX_BEHIND}`)
    if (b.state === 'ahead' && PUSH === 'true') {
      await git(DIRECTORY, 'push', '--quiet', REMOTE, `${b.local}:refs/heads/${b.branch}`)
      b.pushed = true
    }
    b.since = b.since === null ? null : new Date(b.since).toISOString()
  }
  finish({
    name: 'sync-health',
    title: `Branches and ${REMOTE}`,
    failed: findings.join('; '),
    data: {remote: REMOTE, branches},
    lines: table(
      ['branch', 'state', 'ahead', 'behind', 'behind since', 'pushed'],
      branches.map((b) => [b.branch, b.state, b.ahead, b.behind, b.since, b.pushed ? 'yes' : '']),
    ),
  })
})
