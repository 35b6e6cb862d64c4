// Secrets in the commits since the last scan that found none, by gitleaks. Its
// own allow lists hold: .gitleaksignore (fingerprints) and .gitleaks.toml.
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import {finish, main, table, words} from './outcome.mjs'
import {ask, git, goTool, run} from './program.mjs'
import {recall, remember} from './memory.mjs'

const {ALLOW, FULL} = process.env

main(async () => {
  const gitleaks = goTool('gitleaks', 'github.com/zricethezav/gitleaks/v8@v8.30.1')
  const heads = [...new Set((await git('.', 'for-each-ref', '--format=%(objectname)', 'refs/heads', 'refs/remotes')).split('\n').filter(Boolean))]
  const head = await ask('.', 'rev-parse', 'HEAD')
  if (head && !heads.includes(head)) heads.push(head)
  const known = []
  for (const h of FULL === 'true' ? [] : recall('security-scan', {scanned: []}).scanned) {
    if (/^[0-9a-f]{40,64}$/.test(h) && (await ask('.', 'cat-file', '-t', h)) === 'commit') known.push(h)
  }
  const range = [...heads, ...known.map((h) => `^${h}`)]
  const commits = heads.length ? Number(await git('.', 'rev-list', '--count', ...range)) : 0
  let leaks = []
  if (commits > 0) {
    const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'gitleaks-'))
    try {
      const file = path.join(dir, 'report.json')
      // --redact: the secret itself goes into no report and no log.
      const argv = [...gitleaks, 'git', '--no-banner', '--redact', '--exit-code', '0', '--report-format', 'json', '--report-path', file, `--log-opts=${range.join(' ')}`, '.']
      const {err} = await run(argv, {ok: [0]})
      // It ends with 0 when git refuses the range; then it wrote of an error.
      if (/\bERR\b|\bFTL\b/.test(err)) throw new Error(`gitleaks: ${err.trim().split('\n').find((l) => /ERR|FTL/.test(l))}`)
      leaks = JSON.parse(fs.readFileSync(file, 'utf8')) ?? []
    } finally {
      fs.rmSync(dir, {recursive: true, force: true})
    }
  }
  const allowed = words(ALLOW)
  const findings = leaks.filter((l) => !allowed.includes(l.Fingerprint))
  // What was found stays found until it is allowed or gone.
  if (findings.length === 0) remember('security-scan', {scanned: heads})
  const first = findings[0]
  finish({
    name: 'secrets',
    title: 'Secrets in the history',
    failed: first ? `${findings.length} secrets in the history, as ${first.RuleID} in ${first.File}:${first.StartLine} of commit ${first.Commit.slice(0, 8)}` : '',
    data: {
      commits,
      findings: findings.map((l) => ({rule: l.RuleID, file: l.File, line: l.StartLine, commit: l.Commit, author: l.Author, date: l.Date, fingerprint: l.Fingerprint})),
      allowed: leaks.length - findings.length,
    },
    lines: [
      `${commits} commits were looked through; ${leaks.length - findings.length} findings are in the allow list.`,
      '',
      ...table(['rule', 'file', 'commit', 'fingerprint, for the param allow or .gitleaksignore'], findings.map((l) => [l.RuleID, `${l.File}:${l.StartLine}`, l.Commit.slice(0, 8), l.Fingerprint])),
    ],
  })
})
