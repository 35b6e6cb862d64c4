// Finds anchors that point to no id, and for each the id of that page that is
// nearest. What it would change in the sources is a patch in the artifacts; with
// apply it is changed, and the site is built and looked at again.
import {spawnSync} from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import {tools} from '../install.mjs'
import {reader} from './dom.mjs'
import {address, check, files, keep, number, param, site} from './lib.mjs'
import {brokenAnchors, index} from './links.mjs'

const sources = /\.(md|mdx|markdown|html?|njk|liquid|hbs|ejs|pug|astro|jsx|tsx|vue|svelte|rst|adoc)$/i

await check('anchor-links-auto-fixer', async () => {
  const {load} = await tools('site')
  const parse = reader(await load('parse5'))
  const {broken, pages, count} = await look(parse)
  const texts = new Map(files(param('SOURCES', 'src'), sources).map((f) => [f, fs.readFileSync(f, 'utf8')]))
  const changed = new Map(texts)
  const proposed = []
  const findings = []
  const done = new Map()
  for (const b of broken) {
    const found = {file: b.page, line: b.line, rule: 'broken-anchor', message: `${b.href}: ${b.target} has no id "${b.anchor}"`}
    const id = nearest(b.anchor, [...pages.get(b.target).ids])
    if (!id) {
      findings.push({...found, message: `${found.message}, and none that is near enough`})
      continue
    }
    const where = rewrite(changed, b, id, done)
    if (where.length === 0) findings.push({...found, message: `${found.message}; "${id}" is near, but no source holds the link as it is written`})
    else proposed.push({...found, href: b.href, id, sources: where})
  }
  const differing = [...changed].filter(([f, text]) => text !== texts.get(f))
  const notes = proposed.map((p) => `${p.sources.join(', ')}: ${p.href} becomes #${p.id}`)
  if (differing.length) keep('anchors.patch', patch(differing))
  if (param('APPLY') === 'true' && differing.length) {
    for (const [f, text] of differing) replace(f, text)
    let more = ''
    if (param('BUILD') === 'true') {
      const left = (await look(parse)).broken.filter((b) => !findings.some((f) => f.file === b.page && f.message.startsWith(`${b.href}:`)))
      for (const b of left) findings.push({file: b.page, line: b.line, rule: 'not-fixed', message: `${b.href} still leads to no id after the change`})
      if (left.length === 0) more = ', and the site built with it has none left that can be fixed'
    }
    notes.push(`${differing.length} file${differing.length > 1 ? 's were' : ' was'} changed${more}`)
  } else if (differing.length) notes.push('nothing was changed: apply anchors.patch from the artifacts with git apply, or run with apply=true')
  return {checked: `${count} pages, ${broken.length} broken anchors, ${proposed.length} of them can be fixed`, findings, notes, data: {proposed}}
})

async function look(parse) {
  const built = await site()
  const pages = index(parse, built)
  return {pages, broken: brokenAnchors(built, pages, address(parse, built)), count: built.pages.length}
}

/** The one id that is nearest, if it is near enough and no other is as near. */
function nearest(anchor, ids) {
  const least = number('MIN_SIMILARITY', 0.7)
  const ranked = ids.map((id) => ({id, near: similarity(anchor, id)})).sort((a, b) => b.near - a.near)
  const [first, second] = ranked
  return first && first.near >= least && first.near > (second?.near ?? 0) ? first.id : null
}

/** From 0 to 1: the edits that turn one into the other, as part of the longer one's length. */
function similarity(a, b) {
  const [x, y] = [a, b].map((s) => s.toLowerCase().replace(/[_\s]+/g, '-'))
  let row = Array.from({length: y.length + 1}, (_, i) => i)
  for (let i = 1; i <= x.length; i++) {
    const next = [i]
    for (let j = 1; j <= y.length; j++) next[j] = Math.min(next[j - 1] + 1, row[j] + 1, row[j - 1] + (x[i - 1] === y[j - 1] ? 0 : 1))
    row = next
  }
  return 1 - row[y.length] / Math.max(x.length, y.length, 1)
}

/**
 * Changes the link in the page's own source. One that begins at the root of the
 * site may also stand in a template; any other would mean something else there.
 * Gives the files; done remembers them for the next page with the same link.
 */
function rewrite(texts, broken, id, done) {
  const at = broken.href.indexOf('#')
  const fixed = broken.href.slice(0, at + 1) + id
  // What follows may not go on with the anchor's name.
  const written = new RegExp(`(["'(<=]|\\]:\\s*)${broken.href.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&')}(?=["')>\\s]|$)`, 'gm')
  const change = (f) => {
    const changed = texts.get(f).replace(written, (_, before) => before + fixed)
    if (changed === texts.get(f)) return false
    texts.set(f, changed)
    return true
  }
  const here = `${broken.page} ${broken.href}`
  if (done.has(here)) return done.get(here)
  const own = sourceOf(broken.page, [...texts.keys()])
  if (own && change(own)) return done.set(here, [own]).get(here)
  if (!/^(\/|https?:)/.test(broken.href)) return []
  if (!done.has(broken.href)) done.set(broken.href, [...texts.keys()].filter(change))
  return done.get(broken.href)
}

/** The source of a page: the one whose path ends like it, without the ending. */
function sourceOf(page, names) {
  const stem = page.replace(/\.html?$/i, '')
  for (const s of [stem, stem.replace(/\/index$/, '')]) {
    const found = names.filter((f) => ('/' + f.replace(/\.[^./]+$/, '')).endsWith('/' + s))
    if (found.length) return found.sort((x, y) => x.length - y.length)[0]
  }
  return null
}

/** What git apply takes, at the project's root. */
function patch(differing) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'redundctl-patch-'))
  try {
    for (const [f, text] of differing) {
      for (const [side, content] of [['a', fs.readFileSync(f)], ['b', text]]) {
        fs.mkdirSync(path.dirname(path.join(dir, side, f)), {recursive: true})
        fs.writeFileSync(path.join(dir, side, f), content)
      }
    }
    const made = spawnSync('git', ['diff', '--no-index', '--no-prefix', '--no-color', '--no-ext-diff', 'a', 'b'], {cwd: dir, encoding: 'utf8', maxBuffer: 1 << 28})
    if (made.error || made.status > 1) throw new Error(`git could not make the patch: ${made.error?.message ?? made.stderr}`)
    return made.stdout
  } finally {
    fs.rmSync(dir, {recursive: true, force: true})
  }
}

function replace(file, text) {
  const mode = fs.statSync(file).mode & 0o777
  fs.writeFileSync(`${file}.redundctl`, text, {mode})
  fs.renameSync(`${file}.redundctl`, file)
}
