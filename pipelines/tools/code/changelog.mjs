// The commits since the last entry of a changelog, grouped as Conventional
// Commits name them (conventionalcommits.org). An OpenAI-compatible endpoint puts
// them into words where one is named; it may say nothing of a commit that is not
// there.
import fs from 'node:fs'
import {tools} from '../install.mjs'
import {Failure, finish, keep, main, table, whole} from './outcome.mjs'
import {ask as maybe, git} from './program.mjs'
import {write} from './words.mjs'

const {FILE, MAX_COMMITS, BASE_URL, MODEL, APPLY} = process.env
const groups = {feat: 'New', fix: 'Mended', perf: 'Faster', refactor: 'Rebuilt', docs: 'Documentation', security: 'Security'}
const reference = /\(([0-9a-f]{7,40})(?:, ([0-9a-f, ]+))?\)/g

/** The commits that a text names: (abcdef1), or several with commas between them. */
const named = (text) => [...text.matchAll(reference)].flatMap((m) => [m[1], ...(m[2]?.split(/,\s*/) ?? [])].filter(Boolean))

async function real(hash) {
  return (await maybe('.', 'cat-file', '-t', hash)) === 'commit'
}

async function parse(commits) {
  const {load} = await tools('code')
  const {CommitParser} = await load('conventional-commits-parser')
  const parser = new CommitParser({headerPattern: /^(\w*)(?:\(([^)]*)\))?!?: (.*)$/, headerCorrespondence: ['type', 'scope', 'subject']})
  return commits.map((c) => {
    const p = parser.parse(c.message || c.subject || ' ')
    const breaking = p.notes.length > 0 || /^\w+(\([^)]*\))?!:/.test(c.subject)
    return {...c, type: p.type?.toLowerCase() ?? null, scope: p.scope ?? null, text: p.subject ?? c.subject, breaking}
  })
}

function grouped(list) {
  const out = new Map()
  for (const c of list) {
    const head = c.breaking ? 'Breaking' : (groups[c.type] ?? 'Other')
    out.set(head, [...(out.get(head) ?? []), c])
  }
  const order = ['Breaking', 'Security', ...Object.values(groups), 'Other']
  return [...out].sort((a, b) => order.indexOf(a[0]) - order.indexOf(b[0]))
}

const listed = (list) => grouped(list).flatMap(([head, of]) => [`### ${head}`, '', ...of.map((c) => `- ${c.scope ? `${c.scope}: ` : ''}${c.text} (${c.short})`), '']).join('\n').trimEnd()

/** Why a text may not stand: every line of it must name commits, and only such as were given. */
function refuse(text, list) {
  for (const line of text.split('\n').filter((l) => /^\s*[-*] /.test(l))) {
    const hashes = named(line)
    if (hashes.length === 0) return `"${line.trim()}" names no commit`
    const odd = hashes.find((h) => !list.some((c) => c.hash.startsWith(h)))
    if (odd) return `"${line.trim()}" is an entry for commit ${odd}, which is none of these`
  }
  return /^\s*[-*] /m.test(text) ? '' : 'it has no entry'
}

main(async () => {
  const most = whole(MAX_COMMITS, 'max-commits')
  const before = fs.existsSync(FILE) ? fs.readFileSync(FILE, 'utf8') : ''
  const known = [...new Set(named(before))]
  for (const h of known) if (!(await real(h))) throw new Failure(`${FILE} has an entry for commit ${h}, which does not exist in this repository`)
  const range = ['HEAD', ...known.map((h) => `^${h}`)]
  const raw = await git('.', 'log', '--no-merges', `--max-count=${most}`, '--format=%H%x1f%h%x1f%aI%x1f%s%x1f%B%x1e', ...range, '--', '.', `:(exclude)${FILE}`)
  const commits = raw.split('\x1e').map((r) => r.trim()).filter(Boolean).map((r) => {
    const [hash, short, date, subject, message] = r.split('\x1f')
    return {hash, short, date, subject, message}
  })
  const list = await parse(commits)
  let entry = ''
  let by = 'nobody: there is nothing new'
  if (list.length > 0) {
    entry = listed(list)
    by = 'the grouped list alone: no base-url is set'
    if (BASE_URL) {
      entry = (await write(
        'You write changelogs for the people who use a web site. Write plain Markdown: `### ` headings and one `- ` line for each change that they notice, in one short sentence. End every line with the commits that it is about, as (abc1234) or (abc1234, def5678). Use only commits of the list, and invent nothing.',
        list.map((c) => `${c.short} ${c.message.trim().slice(0, 2000)}`).join('\n\n'),
      )).trim()
      by = `${MODEL} at ${new URL(BASE_URL).host}`
      const why = refuse(entry, list)
      if (why) throw new Failure(`the text of ${by} was refused: ${why}`)
    }
  }
  const head = `## ${new Date().toISOString().slice(0, 10)}`
  if (entry) keep('changelog-entry.md', `${head}\n\n${entry}\n`)
  const apply = APPLY === 'true' && entry !== ''
  if (apply) {
    const [, title, rest] = /^(# .*\n+)?([\s\S]*)$/.exec(before)
    fs.writeFileSync(FILE, `${title ?? '# Changelog\n\n'}${head}\n\n${entry}\n${rest ? `\n${rest}` : ''}`)
  }
  finish({
    name: 'ai-changelog',
    title: `Changes since the last entry of ${FILE}`,
    failed: '',
    data: {file: FILE, by, applied: apply, commits: list.map(({hash, date, subject, type}) => ({hash, date, subject, type}))},
    lines: [`Written by ${by}.${apply ? ` It was put on top of ${FILE}.` : ''}`, '', entry || 'No commit has come since.', '', ...table(['commit', 'date', 'subject'], list.map((c) => [c.short, c.date.slice(0, 10), c.subject]))],
  })
})
