// Looks at the Markdown of a site: its form (markdownlint), its spelling
// (cspell), dates in its front matter, and how hard it is to read (LIX, which
// counts long words and long sentences and holds for most languages).
import fs from 'node:fs'
import {pathToFileURL} from 'node:url'
import {tools} from '../install.mjs'
import {check, files, number, param} from './lib.mjs'

// Lines as long as the author likes, HTML where Markdown has nothing, and a
// heading beside the title of the front matter: a site's pages need all three.
const usual = {default: true, MD013: false, MD033: false, MD025: {front_matter_title: ''}, MD041: {front_matter_title: ''}}

await check('content-quality', async () => {
  const {load} = await tools('site')
  const folder = param('CONTENT', 'src')
  const all = files(folder, /\.(md|mdx|markdown)$/i).map((file) => ({file, ...parse(fs.readFileSync(file, 'utf8'))}))
  if (all.length === 0) throw new Error(`no Markdown is in ${folder}`)
  const found = [...await form(load, all), ...await spelling(load, all), ...all.flatMap(dates)]
  const language = param('LANGUAGE', 'en')
  const notes = []
  const others = all.filter((d) => d.lang && !d.lang.startsWith(language))
  if (others.length) notes.push(`not spelled, for they are in another language than ${language}: ${others.map((d) => `${d.file} (${d.lang})`).join(', ')}`)
  const hard = number('MAX_LIX', 60)
  const readability = all.map((d) => ({file: d.file, ...lix(d.body)})).filter((r) => r.lix !== null)
  for (const r of readability) if (r.lix > hard) notes.push(`${r.file} is hard to read: LIX ${r.lix}, above ${hard}`)
  const most = number('MAX_ERRORS', 0)
  if (found.length > 0 && found.length <= most) notes.push(`${found.length} errors are within max-errors, ${most}: ${found.slice(0, 5).map((f) => `${f.file}:${f.line} ${f.message}`).join('; ')}`)
  return {checked: `${all.length} ${all.length === 1 ? 'file' : 'files'} of Markdown in ${folder}`, findings: found.length > most ? found : [], notes, data: {readability, tolerated: found.length > most ? [] : found}}
})

/** The text with its front matter blanked, so that lines stay what they are. */
function parse(text) {
  const front = /^---\r?\n([\s\S]*?)\r?\n---[ \t]*(?:\r?\n|$)/.exec(text)
  const meta = []
  front?.[1].split(/\r?\n/).forEach((l, i) => {
    const found = /^([\w-]+)\s*:\s*(.*?)\s*$/.exec(l)
    if (found) meta.push({key: found[1].toLowerCase(), value: found[2].replace(/^(["'])(.*)\1$/, '$2'), line: i + 2})
  })
  const body = front ? front[0].replace(/[^\n]+/g, '') + text.slice(front[0].length) : text
  return {text, body, meta, lang: meta.find((m) => m.key === 'lang' || m.key === 'language')?.value}
}

async function form(load, all) {
  const {lint, readConfig} = await load('markdownlint/promise')
  const own = ['.markdownlint.json', '.markdownlint.jsonc'].find((f) => fs.existsSync(f))
  const config = own ? await readConfig(own) : usual
  const result = await lint({strings: Object.fromEntries(all.map((d) => [d.file, d.text])), config})
  return Object.entries(result).flatMap(([file, errors]) => errors.map((e) => ({
    file, line: e.lineNumber, rule: e.ruleNames[0], message: e.ruleDescription + (e.errorDetail ? `: ${e.errorDetail}` : ''),
  })))
}

async function spelling(load, all) {
  const {spellCheckDocument, getDefaultSettings} = await load('cspell-lib')
  const language = param('LANGUAGE', 'en')
  const settings = {...await getDefaultSettings(true), language, allowCompoundWords: false}
  const found = []
  for (const d of all) {
    if (d.lang && !d.lang.startsWith(language)) continue
    // Title and description are read by people too; the other keys are not prose.
    let text = d.body
    const lines = text.split('\n')
    for (const m of d.meta) if (['title', 'description', 'summary'].includes(m.key)) lines[m.line - 1] = m.value
    text = lines.join('\n')
    const document = {uri: pathToFileURL(d.file).href, text, languageId: 'markdown', locale: language}
    const result = await spellCheckDocument(document, {generateSuggestions: true, numSuggestions: 3}, settings)
    if (result.errors?.length) throw new Error(`cspell: ${d.file}: ${result.errors[0].message}`)
    if (!result.checked) continue // the project's cspell.json leaves it out
    for (const issue of result.issues) {
      const better = (issue.suggestions ?? []).slice(0, 3).join(', ')
      found.push({file: d.file, line: text.slice(0, issue.offset).split('\n').length, rule: 'spelling', message: `"${issue.text}" is not a word${better ? ` (${better}?)` : ''}`})
    }
  }
  return found
}

/** Front matter that says itself that it is out of date, and dates that are none. */
function dates(d) {
  const found = []
  const today = new Date().toISOString().slice(0, 10)
  for (const m of d.meta) {
    const due = ['review-by', 'review_by', 'expires', 'expiry', 'expirydate'].includes(m.key)
    if (!due && !['date', 'updated', 'lastmod', 'published'].includes(m.key)) continue
    const say = (rule, message) => found.push({file: d.file, line: m.line, rule, message})
    const day = /^\d{4}-\d\d-\d\d/.exec(m.value)?.[0]
    if (!day || Number.isNaN(Date.parse(day)) || new Date(day).toISOString().slice(0, 10) !== day) say('bad-date', `${m.key} is "${m.value}", no date as 2025-01-31`)
    else if (due && day < today) say('stale', `${m.key} was ${day}`)
    else if (['updated', 'lastmod'].includes(m.key) && day > today) say('bad-date', `${m.key} is in the future: ${day}`)
  }
  return found
}

/** LIX (C.-H. Björnsson, 1968): words in a sentence, and of a hundred words those over six letters; null below 30 words. */
function lix(text) {
  const prose = text.replace(/```[\s\S]*?```|`[^`]*`|<[^>]+>|!?\[([^\]]*)\]\([^)]*\)/g, '$1')
  const words = prose.match(/\p{L}[\p{L}'’-]*/gu) ?? []
  if (words.length < 30) return {words: words.length, lix: null}
  const sentences = Math.max(1, (prose.match(/[.!?:](?=\s|$)|\n{2,}/g) ?? []).length)
  const long = words.filter((w) => w.length > 6).length
  return {words: words.length, lix: Math.round(words.length / sentences + (100 * long) / words.length)}
}
