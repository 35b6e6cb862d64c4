// Known vulnerabilities of the packages in lock files, by `npm audit`. Nothing
// is installed: the lock file says all.
import path from 'node:path'
import {Failure, finish, main, oneLine, table, words} from './outcome.mjs'
import {ask, run} from './program.mjs'

const {DIRECTORIES, REGISTRY, SEVERITY, ALLOW} = process.env
const levels = ['info', 'low', 'moderate', 'high', 'critical']

/** The advisories that npm tells of one folder, each once. */
async function audit(dir) {
  const argv = ['npm', 'audit', '--json', '--package-lock-only', ...(REGISTRY ? [`--registry=${REGISTRY}`] : [])]
  const {out, err, code} = await run(argv, {cwd: dir, hint: 'it comes with node'})
  let report
  try {
    report = JSON.parse(out)
  } catch {
    throw new Failure(`npm audit in ${dir} (exit code ${code}) did not print JSON: ${oneLine(err || out)}`)
  }
  if (!report.vulnerabilities) throw new Failure(`npm audit in ${dir} got no answer to go by: ${oneLine(report.message || report.error?.summary || err)}`)
  const found = new Map()
  for (const v of Object.values(report.vulnerabilities)) {
    for (const a of v.via) {
      if (typeof a === 'string') continue // by way of another package, which is listed itself
      const id = /GHSA(-[0-9a-z]{4}){3}/.exec(a.url ?? '')?.[0] ?? String(a.source)
      found.set(`${a.name} ${id}`, {directory: dir, package: a.name, id, severity: a.severity, title: a.title, range: a.range, url: a.url ?? null, fix: v.fixAvailable !== false})
    }
  }
  return {dir, packages: report.metadata?.dependencies?.total ?? null, found: [...found.values()]}
}

main(async () => {
  const bar = levels.indexOf(SEVERITY)
  if (bar < 0) throw new Failure(`severity: "${SEVERITY}" is none of ${levels.join(', ')}`)
  let dirs = words(DIRECTORIES)
  if (dirs.length === 0) {
    const files = (await ask('.', 'ls-files', '--', '*package-lock.json', '*npm-shrinkwrap.json')).split('\n').filter(Boolean)
    dirs = [...new Set(files.map((f) => path.dirname(f)))]
  }
  const audits = []
  for (const dir of dirs) audits.push(await audit(dir))
  const all = audits.flatMap((a) => a.found)
  const allowed = words(ALLOW)
  const findings = all.filter((f) => levels.indexOf(f.severity) >= bar && !allowed.includes(f.id))
  const first = findings[0]
  finish({
    name: 'npm-audit',
    title: 'Vulnerable npm packages',
    failed: first ? `${findings.length} vulnerabilities of severity ${SEVERITY} or above in npm packages, as ${first.package} in ${first.directory}: ${first.title} (${first.id})` : '',
    data: {severity: SEVERITY, directories: audits.map((a) => ({directory: a.dir, packages: a.packages})), findings, below: all.filter((f) => !findings.includes(f))},
    lines: [
      dirs.length ? `Looked at the lock files of ${dirs.join(', ')}.` : 'There is no lock file of npm in this repository.',
      '',
      ...table(['package', 'severity', 'advisory', 'what', 'in', 'fix'], all.map((f) => [f.package, f.severity + (findings.includes(f) ? '' : ' (not counted)'), f.id, f.title, f.directory, f.fix ? 'there is one' : 'none'])),
    ],
  })
})
