// Known vulnerabilities that the Go code of the repository can reach, by
// govulncheck. It gives no severities: one that is called counts as high, one
// that is only there does not count.
import path from 'node:path'
import {Failure, finish, main, oneLine, table, words} from './outcome.mjs'
import {ask, goTool, onPath, run} from './program.mjs'

const {ALLOW, DATABASE, SEVERITY} = process.env

/** Reads the objects that govulncheck prints one after another. */
function messages(text) {
  const list = []
  let depth = 0
  let inside = false
  let begin = 0
  for (let i = 0; i < text.length; i++) {
    const c = text[i]
    if (inside) {
      if (c === '\\') i++
      else if (c === '"') inside = false
    } else if (c === '"') inside = true
    else if (c === '{' && depth++ === 0) begin = i
    else if (c === '}' && --depth === 0) list.push(JSON.parse(text.slice(begin, i + 1)))
  }
  return list
}

async function check(tool, dir) {
  const argv = [...tool, '-format', 'json', ...(DATABASE ? ['-db', DATABASE] : []), './...']
  const {out, err, code} = await run(argv, {cwd: dir})
  if (code !== 0) throw new Failure(`govulncheck in ${dir} ended with exit code ${code}: ${oneLine(err || out)}`)
  const osv = new Map()
  const called = new Map()
  for (const m of messages(out)) {
    if (m.osv) osv.set(m.osv.id, m.osv)
    const at = m.finding?.trace?.[0]
    if (at?.function) called.set(m.finding.osv, {directory: dir, id: m.finding.osv, module: at.module, fixed: m.finding.fixed_version ?? null, function: `${at.package}.${at.function}`})
  }
  return [...called.values()].map((f) => ({...f, summary: osv.get(f.id)?.summary ?? ''}))
}

main(async () => {
  const files = (await ask('.', 'ls-files', '--', 'go.mod', '**/go.mod')).split('\n').filter(Boolean)
  const dirs = [...new Set(files.map((f) => path.dirname(f)))]
  let found = []
  if (dirs.length > 0) {
    if (!onPath('go')) throw new Failure('there is Go code, but Go is not installed or not in PATH: govulncheck needs it to read the code')
    const tool = goTool('govulncheck', 'golang.org/x/vuln/cmd/govulncheck@v1.9.0')
    for (const dir of dirs) found.push(...(await check(tool, dir)))
  }
  const allowed = words(ALLOW)
  const findings = SEVERITY === 'critical' ? [] : found.filter((f) => !allowed.includes(f.id))
  const first = findings[0]
  finish({
    name: 'govulncheck',
    title: 'Vulnerable Go code',
    failed: first ? `${findings.length} vulnerabilities that Go code can reach, as ${first.id} by ${first.function}: ${first.summary}` : '',
    data: {directories: dirs, findings, allowed: found.length - findings.length},
    lines: [
      dirs.length ? `Looked at the modules in ${dirs.join(', ')}.` : 'There is no Go module in this repository.',
      '',
      ...table(['vulnerability', 'reached by', 'in', 'fixed in', 'what'], found.map((f) => [f.id, f.function, f.directory, f.fixed ?? 'no version yet', f.summary])),
    ],
  })
})
