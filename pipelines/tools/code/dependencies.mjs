// The packages that a package.json names: how far they are behind
// (npm-check-updates), which are used and not named or named and not used (knip),
// and the licences of all that its lock file holds.
import fs from 'node:fs'
import path from 'node:path'
import {tools} from '../install.mjs'
import {Failure, finish, main, oneLine, table, whole, words} from './outcome.mjs'
import {knip, manifest} from './knip.mjs'
import {run} from './program.mjs'

const {DIRECTORY, ENTRY, LICENCES, MAX_MAJOR_BEHIND, REGISTRY} = process.env

const major = (version) => Number(/(\d+)(\.|$)/.exec(version ?? '')?.[1] ?? NaN)

/** The packages of the lock file, without the project's own: [{name, version, licence, at}]. */
function locked() {
  for (const name of ['npm-shrinkwrap.json', 'package-lock.json']) {
    const file = path.join(DIRECTORY, name)
    if (!fs.existsSync(file)) continue
    const lock = JSON.parse(fs.readFileSync(file, 'utf8'))
    if (!lock.packages) throw new Failure(`${file}: it is of lockfileVersion ${lock.lockfileVersion}: run npm install once with npm 7 or later`)
    return Object.entries(lock.packages)
      .filter(([at, p]) => at.includes('node_modules/') && !p.link)
      .map(([at, p]) => ({name: p.name ?? at.split('node_modules/').at(-1), version: p.version, licence: p.license ?? null, at}))
  }
  throw new Failure(`${DIRECTORY} has no package-lock.json: run npm install there, and commit it`)
}

/** The licence of a package whose lock file does not say it: from what is installed, else from the registry. */
async function licence(p) {
  if (p.licence) return p.licence
  const text = (l) => (typeof l === 'string' ? l : (l?.type ?? null))
  try {
    const installed = JSON.parse(fs.readFileSync(path.join(DIRECTORY, p.at, 'package.json'), 'utf8'))
    return text(installed.license ?? installed.licenses?.[0])
  } catch {
    const {out} = await run(['npm', 'view', `${p.name}@${p.version}`, 'license', '--json', ...(REGISTRY ? [`--registry=${REGISTRY}`] : [])], {ok: [0]})
    return out.trim() ? text(JSON.parse(out)) : null
  }
}

async function licences(list, load) {
  const {default: satisfies} = await load('spdx-satisfies')
  const allowed = words(LICENCES)
  const bad = []
  for (const p of list) {
    const its = await licence(p)
    let fine = false
    try {
      fine = its !== null && satisfies(its, allowed)
    } catch {
      fine = allowed.includes(its) // no expression of SPDX, as `SEE LICENSE IN x`
    }
    if (!fine) bad.push({...p, licence: its})
  }
  return bad
}

/**
 * What is newer than what the lock file has. The program is asked and not the
 * library: that one leaves a package out when the registry does not answer.
 */
async function outdated(own, list, bin) {
  const ranges = {...own.peerDependencies, ...own.optionalDependencies, ...own.devDependencies, ...own.dependencies}
  const argv = [process.execPath, bin('ncu'), '--packageFile', path.resolve(DIRECTORY, 'package.json'), '--no-color', '--timeout', '120000']
  const {out} = await run([...argv, ...(REGISTRY ? ['--registry', REGISTRY] : [])], {ok: [0]})
  const old = []
  for (const line of out.split('\n')) {
    const [, name, rest] = /^\s*(\S+)\s+(.*\S)\s*$/.exec(line) ?? []
    if (!Object.hasOwn(ranges, name ?? '')) continue
    const newer = /^\S+\s+→\s+(\S+)/.exec(rest)?.[1]
    if (!newer) throw new Failure(`what is newer than ${name} could not be asked for: ${oneLine(rest)}`)
    const has = list.find((p) => p.at === `node_modules/${name}`)?.version ?? ranges[name]
    old.push({name, has, latest: newer.replace(/^[\^~]/, ''), behind: Math.max(0, major(newer) - major(has)) || 0})
  }
  return old
}

main(async () => {
  const limit = whole(MAX_MAJOR_BEHIND, 'max-major-behind')
  const own = manifest(DIRECTORY)
  const list = locked()
  const {load, bin} = await tools('code')
  const [old, issues, bad] = await Promise.all([outdated(own, list, bin), knip(DIRECTORY, ENTRY), licences(list, load)])
  const of = (...kinds) => issues.filter((i) => kinds.includes(i.kind))
  const undeclared = of('unlisted')
  const unused = of('dependencies', 'devDependencies')
  const far = old.filter((o) => o.behind > limit)
  const findings = []
  if (undeclared.length) findings.push(`used and not declared: ${undeclared.map((u) => `${u.name} (${u.file}:${u.line})`).join(', ')}`)
  if (bad.length) findings.push(`licences off the list: ${bad.map((b) => `${b.name} ${b.version} (${b.licence ?? 'none'})`).join(', ')}`)
  if (far.length) findings.push(`more than ${limit} major versions behind: ${far.map((o) => `${o.name} ${o.has} (latest ${o.latest})`).join(', ')}`)
  finish({
    name: 'dependencies',
    title: `Packages of ${own.name ?? DIRECTORY}`,
    failed: findings.join('; '),
    data: {directory: DIRECTORY, packages: list.length, outdated: old, undeclared, unused, unresolved: of('unresolved'), licences: bad},
    lines: [
      `The lock file holds ${list.length} packages.`,
      '', '## Outdated', '', ...table(['package', 'has', 'latest', 'major versions behind'], old.map((o) => [o.name, o.has, o.latest, o.behind])),
      '', '## Used and not declared', '', ...table(['package', 'in'], undeclared.map((u) => [u.name, `${u.file}:${u.line}`])),
      '', '## Declared and not used', '', ...table(['package', 'in'], unused.map((u) => [u.name, u.file])),
      '', '## Licences off the list', '', ...table(['package', 'version', 'licence'], bad.map((b) => [b.name, b.version, b.licence ?? 'none'])),
    ],
  })
})
