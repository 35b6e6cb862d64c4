// Writes sitemap.xml from the built pages; when a page last changed is the date
// of its source's last commit. A page whose source is not known gets no date. A
// sitemap that the build brought along may list only pages that there are.
import {spawnSync} from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import {tools} from '../install.mjs'
import {noindex, reader} from './dom.mjs'
import {address, alone, answer, check, keep, param, redirects, route, site} from './lib.mjs'
import {robots} from './robots.mjs'
import {read} from './sitemap-xml.mjs'

await check('sitemap-generator', async () => {
  const {load} = await tools('site')
  const [parse, {default: sax}, {SitemapStream, streamToPromise}] = [reader(await load('parse5')), await load('sax'), await load('sitemap')]
  const built = await site()
  const origin = address(parse, built)
  if (!origin) throw new Error('the address of the site is not known: name it by the param site-url, or let the front page have a canonical link')
  const {listed, left} = choose(parse, built)
  if (listed.length === 0) throw new Error('there is no page to list')
  const dates = lastCommits(param('PAGES', 'src/pages'))
  const stream = new SitemapStream({hostname: origin, xmlns: {news: false, xhtml: false, image: false, video: false}, lastmodDateOnly: false})
  for (const page of listed) stream.write({url: route(page), ...(dates.has(stem(page)) ? {lastmod: dates.get(stem(page))} : {})})
  stream.end()
  const xml = (await streamToPromise(stream)).toString() + '\n'
  const output = path.join(param('SITE', 'dist'), 'sitemap.xml')
  const findings = [...hold(sax, built, {xml, name: output, origin}), ...brought(sax, built, origin)]
  keep('sitemap.xml', xml)
  if (!findings.some((f) => f.file === output)) await alone(() => replace(output, xml))
  const undated = listed.filter((p) => !dates.has(stem(p)))
  const notes = left.map(({page, why}) => `${page} is left out: ${why}`)
  if (undated.length) notes.push(`without a date, for no commit of their source is known: ${undated.join(', ')}`)
  return {checked: `${listed.length} of ${built.pages.length} pages listed, ${listed.length - undated.length} with the date of their last commit`, findings, notes, data: {output, pages: listed.map((p) => ({page: p, lastmod: dates.get(stem(p)) ?? null}))}}
})

function stem(page) {
  return page.replace(/\.[^./]+$/, '')
}

function choose(parse, built) {
  const file = path.join(built.dir, 'robots.txt')
  const rules = robots(fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : '')
  const [listed, left] = [[], []]
  for (const page of built.pages) {
    const why = /^(404|_.*)\.html?$/.test(page) ? 'it is what is shown for no page' : noindex(parse(built.read(page))) ? 'it is noindex' : rules.allowed(route(page)) ? '' : 'robots.txt forbids it'
    if (why) left.push({page, why})
    else listed.push(page)
  }
  return {listed, left}
}

/** When each source below a folder last changed, as git knows it: {path without ending → date}. */
function lastCommits(folder) {
  const git = (...args) => {
    const run = spawnSync('git', args, {encoding: 'utf8', maxBuffer: 1 << 30})
    if (run.error || run.status !== 0) throw new Error(`git, which knows when pages changed: ${run.error?.message ?? run.stderr.trim()}`)
    return run.stdout
  }
  if (git('rev-parse', '--is-shallow-repository').trim() === 'true') throw new Error('the repository is a shallow clone, in which dates would be wrong: git fetch --unshallow')
  const dates = new Map()
  if (!fs.existsSync(folder)) throw new Error(`there is no folder ${folder} with the sources of the pages: name it by the param pages`)
  let at
  // Newest first: the first date of a file is its last.
  for (const l of git('log', '--format=%x00%cI', '--name-only', '--no-renames', '--relative', '-z', '--', folder).split(/[\0\n]/)) {
    if (/^\d{4}-\d\d-\d\dT/.test(l)) at = l
    else if (l && at) {
      const key = stem(path.posix.relative(folder, l))
      if (!dates.has(key)) dates.set(key, at)
    }
  }
  const prefix = git('rev-parse', '--show-prefix').trim()
  for (const l of git('status', '--porcelain', '-z', '--no-renames', '--untracked-files=all', '--', folder).split('\0')) {
    if (l) dates.delete(stem(path.posix.relative(folder, l.slice(3 + prefix.length)))) // changed since: no commit has it
  }
  return dates
}

/** Holds the sitemap of ours against the schema, and each address against the files. */
function hold(sax, built, {xml, name, origin}) {
  const {urls, problems} = read(sax, xml)
  return [...problems.map((message) => ({file: name, rule: 'schema', message})), ...missing(built, urls, name, origin)]
}

function missing(built, urls, name, origin) {
  const elsewhere = redirects(built.dir)
  const findings = []
  for (const url of urls.filter((u) => URL.canParse(u))) {
    const to = new URL(url)
    if (to.origin !== origin) findings.push({file: name, rule: 'other-host', message: `${url} is not of ${origin}`})
    else if (!answer(built.dir, to.pathname) && !elsewhere(to.pathname)) findings.push({file: name, rule: 'no-such-page', message: `it lists ${to.pathname}, which does not exist`})
  }
  return findings
}

/** The sitemap that the build itself brings, and the next build will bring again. */
function brought(sax, built, origin) {
  const file = path.join(built.dir, 'sitemap.xml')
  if (!fs.existsSync(file)) return []
  return hold(sax, built, {xml: fs.readFileSync(file, 'utf8'), name: 'sitemap.xml of the build', origin})
}

function replace(file, text) {
  fs.writeFileSync(`${file}.redundctl`, text)
  fs.renameSync(`${file}.redundctl`, file)
}
