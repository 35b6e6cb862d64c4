// Code and packages that nobody uses, by knip, as against a baseline that
// somebody has recorded: only what is new fails.
import fs from 'node:fs'
import path from 'node:path'
import {Failure, finish, main, table} from './outcome.mjs'
import {knip} from './knip.mjs'

const {DIRECTORY, ENTRY, BASELINE, RECORD} = process.env
const dead = ['files', 'exports', 'types', 'enumMembers', 'namespaceMembers', 'duplicates', 'dependencies', 'devDependencies', 'optionalPeerDependencies', 'catalog']

// Lines move; what is dead is the same wherever it stands in its file.
const key = (f) => (f.name === f.file ? `${f.kind} ${f.file}` : `${f.kind} ${f.file} ${f.name}`)

function baseline() {
  let text
  try {
    text = fs.readFileSync(BASELINE, 'utf8')
  } catch (err) {
    if (err.code === 'ENOENT') return null
    throw new Failure(`${BASELINE}: ${err.message}`)
  }
  try {
    const list = JSON.parse(text)
    if (!Array.isArray(list) || list.some((k) => typeof k !== 'string')) throw new Error('it is not a list of texts')
    return list
  } catch (err) {
    throw new Failure(`${BASELINE}: ${err.message}: record it anew with --param record=true`)
  }
}

main(async () => {
  const found = (await knip(DIRECTORY, ENTRY)).filter((f) => dead.includes(f.kind))
  if (RECORD === 'true') {
    fs.mkdirSync(path.dirname(BASELINE), {recursive: true})
    fs.writeFileSync(BASELINE, JSON.stringify([...new Set(found.map(key))], null, 2) + '\n')
  }
  const recorded = baseline()
  const known = new Set(recorded)
  const fresh = found.filter((f) => !known.has(key(f)))
  const gone = [...known].filter((k) => !found.some((f) => key(f) === k))
  const first = fresh[0]
  const hint = recorded ? '' : `; there is no baseline: record what is there with --param record=true, which writes ${BASELINE}`
  finish({
    name: 'dead-code',
    title: `What nobody uses in ${DIRECTORY}`,
    failed: first ? `${fresh.length} that nobody uses and the baseline has not, as ${key(first)}${hint}` : '',
    data: {directory: DIRECTORY, baseline: recorded ? BASELINE : null, new: fresh, known: found.filter((f) => known.has(key(f))), gone},
    lines: [
      recorded ? `The baseline ${BASELINE} has ${known.size}; ${gone.length} of them are used or removed by now.` : 'There is no baseline.',
      '',
      ...table(['', 'kind', 'name', 'in'], found.map((f) => [known.has(key(f)) ? 'known' : 'new', f.kind, f.name, f.line ? `${f.file}:${f.line}` : f.file])),
    ],
  })
})
