// Edits of pipeline files as a person would make them: only the text of one key
// changes, comments and order stay. A set of edits is a proposal: a patch for
// people, which is tried on a copy of the project before anybody may apply it.
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import {tools} from '../install.mjs'
import {Failure, oneLine} from './outcome.mjs'
import {redundctl, run} from './program.mjs'

const own = 'set REDUNDCTL to the path of redundctl, or put it into PATH'

/** Runs redundctl and gives what it printed as JSON. */
export async function ask(...args) {
  const {out, err, code} = await run(redundctl(...args, '-o', 'json'), {hint: own})
  try {
    return JSON.parse(out)
  } catch {
    throw new Failure(`redundctl ${args.join(' ')} ended with exit code ${code} and without JSON: ${oneLine(err || out) || 'it said nothing'}`)
  }
}

export class Proposal {
  constructor({parseDocument, isMap, isSeq, isScalar}, {createTwoFilesPatch}) {
    Object.assign(this, {parseDocument, isMap, isSeq, isScalar, createTwoFilesPatch})
    this.files = new Map() // path → {before, after}
    this.notes = [] // {pipeline, key, was, is, why}
  }

  static async begin() {
    const {load} = await tools('code')
    return new Proposal(await load('yaml'), await load('diff'))
  }

  text(file) {
    if (!this.files.has(file)) {
      const before = fs.readFileSync(file, 'utf8')
      this.files.set(file, {before, after: before})
    }
    return this.files.get(file).after
  }

  /** What the file says now, as data. */
  data(file) {
    return this.parseDocument(this.text(file)).toJS() ?? {}
  }

  note(p, key, was, is, why) {
    this.notes.push({pipeline: `${p.system}/${p.name}`, file: p.file, key, was, is, why})
  }

  splice(file, from, to, text) {
    const f = this.files.get(file)
    f.after = f.after.slice(0, from) + text + f.after.slice(to)
  }

  pair(map, key) {
    return map?.items?.find((i) => this.isScalar(i.key) && i.key.value === key)
  }

  /** Sets a key at the top of the file to a text of YAML on one line. */
  top(file, key, value) {
    const text = this.text(file)
    const doc = this.parseDocument(text)
    const has = this.pair(doc.contents, key)
    if (has?.value?.range) return this.splice(file, has.value.range[0], has.value.range[1], value)
    const before = this.pair(doc.contents, 'schedule') ?? this.pair(doc.contents, 'steps')
    if (!before) return
    let at = text.lastIndexOf('\n', before.key.range[0] - 1) + 1
    for (;;) {
      // Comments above a key are its own.
      const above = text.lastIndexOf('\n', at - 2) + 1
      if (at === 0 || !text.slice(above, at).startsWith('#')) break
      at = above
    }
    this.splice(file, at, at, `${key}: ${value}\n`)
  }

  /** Sets a key of the one schedule at an index; gives false where that cannot be done. */
  schedule(file, index, key, value) {
    const text = this.text(file)
    const node = this.pair(this.parseDocument(text).contents, 'schedule')?.value
    const map = this.isSeq(node) ? node.items[index] : node
    if (!this.isMap(map) || map.items.length === 0) return false
    const has = this.pair(map, key)
    if (has?.value?.range) {
      this.splice(file, has.value.range[0], has.value.range[1], value)
      return true
    }
    const last = map.items.at(-1)
    const end = (last.value ?? last.key).range[1]
    const column = map.items[0].key.range[0] - (text.lastIndexOf('\n', map.items[0].key.range[0] - 1) + 1)
    if (map.flow) this.splice(file, end, end, `, ${key}: ${value}`)
    else {
      const eol = text.indexOf('\n', end)
      const at = eol < 0 ? text.length : eol
      this.splice(file, at, at, `\n${' '.repeat(column)}${key}: ${value}`)
    }
    return true
  }

  changed() {
    return [...this.files].filter(([, f]) => f.before !== f.after)
  }

  /** The proposal as one patch, which `git apply` takes. */
  patch() {
    return this.changed()
      .map(([file, f]) => this.createTwoFilesPatch(`a/${file}`, `b/${file}`, f.before, f.after, '', '', {context: 3}).replace(/^=+\n/, ''))
      .join('')
  }

  /** Tries the proposal on a copy of the project, and gives what is wrong with it, or ''. */
  async trial(pipelines) {
    const copy = fs.mkdtempSync(path.join(os.tmpdir(), 'proposal-'))
    try {
      const tops = new Set(pipelines.map((p) => path.normalize(p.file).split(path.sep)[0]))
      for (const name of fs.readdirSync('.')) {
        // The rest is only looked at, so a link is enough. State is no part of it.
        if (tops.has(name)) fs.cpSync(name, path.join(copy, name), {recursive: true})
        else if (name !== '.redund' && name !== '.git') fs.symlinkSync(path.resolve(name), path.join(copy, name))
      }
      for (const [file, f] of this.changed()) fs.writeFileSync(path.join(copy, file), f.after)
      return await wrong(copy)
    } finally {
      fs.rmSync(copy, {recursive: true, force: true})
    }
  }

  /** Writes the files, each whole or not at all; takes all back when the project is not valid with them. */
  async apply() {
    const list = this.changed()
    for (const [file, f] of list) {
      if (fs.readFileSync(file, 'utf8') !== f.before) throw new Failure(`${file} has been changed meanwhile: nothing was applied`)
    }
    const write = (file, text) => {
      const made = path.join(path.dirname(file), `.${path.basename(file)}.${process.pid}`)
      fs.writeFileSync(made, text, {mode: fs.statSync(file).mode & 0o777})
      fs.renameSync(made, file)
    }
    for (const [file, f] of list) write(file, f.after)
    const why = await wrong('.')
    if (!why) return
    for (const [file, f] of list) write(file, f.before)
    throw new Failure(`with the proposal the project is not valid, so it was taken back: ${why}`)
  }
}

/** The first error of a project, or ''. */
async function wrong(dir) {
  const {out, err} = await run(redundctl('-C', dir, 'validate', '--format', 'json'), {hint: own})
  let report
  try {
    report = JSON.parse(out)
  } catch {
    throw new Failure(`redundctl validate: ${oneLine(err || out)}`)
  }
  const first = report.problems.find((p) => p.severity === 'error')
  return first ? `${first.file}:${first.line}: ${first.message}` : report.valid ? '' : 'it is not valid'
}

/** How many runs of a system may go on at once, as redund.yaml says, or its default. */
export function concurrency(system, parse) {
  const defaults = {pm2: 2, 'github-actions': 3, 'netlify-functions': 5}
  let config = {}
  for (const name of ['redund.yaml', 'redund.yml']) if (fs.existsSync(name)) config = parse(fs.readFileSync(name, 'utf8')) ?? {}
  const own = config.systems?.[system]?.concurrency ?? defaults[system] ?? 0
  return own > 0 ? own : Infinity
}

/** A length of time as the language writes it, in whole seconds or minutes. */
export const written = (ms) => (ms >= 120_000 ? `${Math.round(ms / 60_000)}m` : `${Math.max(1, Math.round(ms / 1000))}s`)
