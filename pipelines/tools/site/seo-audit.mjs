// Holds the built pages against what search engines need: HTML that is valid
// (html-validate), a title, a description, a canonical address, languages that
// name each other, structured data that can be read, and a robots.txt and a
// sitemap that agree. Pages that are noindex need none of it but valid HTML.
import fs from 'node:fs'
import path from 'node:path'
import {tools} from '../install.mjs'
import {has, metas, noindex, reader} from './dom.mjs'
import {address, answer, check, number, route, site} from './lib.mjs'
import {robots} from './robots.mjs'
import {read} from './sitemap-xml.mjs'

await check('seo-audit', async () => {
  const {load} = await tools('site')
  const [parse, {default: sax}, validator] = [reader(await load('parse5')), await load('sax'), await load('html-validate')]
  const built = await site()
  const origin = address(parse, built)
  const pages = built.pages.map((page) => facts(parse, page, built.read(page)))
  const findings = await valid(validator, built)
  const notes = []
  const all = {built, pages: new Map(pages.map((p) => [p.page, p])), origin, findings, notes}
  for (const p of pages) {
    if (p.noindex || /^404\.html?$/.test(p.page)) continue
    one(p, all)
    canonical(p, all)
    languages(p, all)
  }
  for (const what of ['title', 'description']) twice(pages, what, findings)
  agree(sax, all)
  if (!origin) notes.push('the address of the site is not known (no site-url, and the front page has no canonical link): whether addresses are of the site was not looked at')
  return {checked: `${pages.length} pages, by html-validate and rules for search engines`, findings, notes}
})

/** What a page says of itself, each with its line. */
function facts(parse, page, html) {
  const elements = parse(html)
  const links = (rel, more) => elements.filter((e) => e.name === 'link' && has(e, 'rel', rel) && (!more || more in e.at))
    .map((e) => ({href: e.at.href ?? '', lang: e.at.hreflang, line: e.line}))
  return {
    page, noindex: noindex(elements),
    title: elements.find((e) => e.name === 'title' && e.inside === 'head')?.text().trim() ?? '',
    description: metas(elements, 'description')[0]?.trim() ?? '',
    canonical: links('canonical'), hreflang: links('alternate', 'hreflang'),
    data: elements.filter((e) => e.name === 'script' && e.at.type === 'application/ld+json').map((e) => ({text: e.text(), line: e.line})),
  }
}

async function valid({HtmlValidate, StaticConfigLoader}, built) {
  const own = '.htmlvalidate.json'
  // Off is what has another place: headings with accessibility, lengths with the notes below, hashes with security.
  const usual = {extends: ['html-validate:standard', 'html-validate:document'], rules: {'heading-level': 'off', 'long-title': 'off', 'require-sri': 'off'}}
  const config = fs.existsSync(own) ? JSON.parse(fs.readFileSync(own, 'utf8')) : usual
  const validator = new HtmlValidate(new StaticConfigLoader({root: true, ...config}))
  const findings = []
  for (const page of built.pages) {
    const report = await validator.validateString(built.read(page), page)
    for (const m of report.results.flatMap((r) => r.messages)) {
      if (m.severity < 2 || (m.ruleId === 'element-required-content' && m.message.includes('<title>'))) continue // no-title says it
      findings.push({file: page, line: m.line, rule: m.ruleId, message: m.message})
    }
  }
  return findings
}

function one(p, {findings, notes}) {
  const most = {title: number('TITLE_MAX', 60), description: number('DESCRIPTION_MAX', 160)}
  for (const what of ['title', 'description']) {
    if (!p[what]) findings.push({file: p.page, rule: `no-${what}`, message: `the page has no ${what}`})
    else if (p[what].length > most[what]) notes.push(`${p.page}: the ${what} has ${p[what].length} characters, and about ${most[what]} are shown`)
  }
  if (p.data.length === 0) notes.push(`${p.page}: no structured data`)
  for (const d of p.data) {
    const say = (message) => findings.push({file: p.page, line: d.line, rule: 'structured-data', message})
    let value
    try {
      value = JSON.parse(d.text)
    } catch (err) {
      say(`the structured data is no JSON: ${err.message}`)
      continue
    }
    for (const item of [value].flat()) {
      if (!item || typeof item !== 'object') say('the structured data is no object')
      else if (!/schema\.org/.test(JSON.stringify(item['@context'] ?? ''))) say('the structured data does not name schema.org as its @context')
      else if (!item['@type'] && !Array.isArray(item['@graph'])) say('the structured data has no @type')
    }
  }
}

/** The page of the site that an address is of: its file, '' for none, null for another site's. */
function inSite(href, {built, origin}) {
  if (!URL.canParse(href)) return ''
  const to = new URL(href)
  if (origin && to.origin !== origin) return null
  return answer(built.dir, to.pathname) ?? ''
}

function canonical(p, all) {
  const say = (message, line) => all.findings.push({file: p.page, line, rule: 'canonical', message})
  if (p.canonical.length === 0) return say('the page has no canonical link')
  if (p.canonical.length > 1) say('the page has several canonical links', p.canonical[1].line)
  const [{href, line}] = p.canonical
  if (!URL.canParse(href)) return say(`the canonical link "${href}" is no whole address`, line)
  const to = inSite(href, all)
  if (to === null) return say(`the canonical link leads to another site: ${href}`, line)
  if (!to) return say(`the canonical link leads to a page that does not exist: ${href}`, line)
  if (to !== p.page && all.pages.get(to)?.canonical[0]?.href !== href) say(`the canonical link leads to ${to}, which does not call itself canonical`, line)
}

function languages(p, all) {
  const say = (message, line) => all.findings.push({file: p.page, line, rule: 'hreflang', message})
  if (p.hreflang.length === 0) return
  let self = false
  for (const {href, lang, line} of p.hreflang) {
    if (!/^(x-default|[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|\d{3}))?)$/i.test(lang)) say(`"${lang}" is no language as en or en-GB`, line)
    const to = inSite(href, all)
    if (to === null) continue // another site's pages are not here to be asked
    if (!to) say(`the page for ${lang} does not exist: ${href}`, line)
    else if (to === p.page) self = true
    else if (!all.pages.get(to)?.hreflang.some((back) => inSite(back.href, all) === p.page)) say(`${to}, for ${lang}, does not name this page in return`, line)
  }
  if (!self) say('it names pages for other languages, but not itself')
}

function twice(pages, what, findings) {
  const first = new Map()
  for (const p of pages.filter((x) => x[what] && !x.noindex)) {
    if (first.has(p[what])) findings.push({file: p.page, rule: `same-${what}`, message: `it has the ${what} of ${first.get(p[what])}`})
    else first.set(p[what], p.page)
  }
}

/** Whether robots.txt, the sitemap and the pages say the same. */
function agree(sax, {built, pages, origin, findings, notes}) {
  const text = (name) => fs.existsSync(path.join(built.dir, name)) ? fs.readFileSync(path.join(built.dir, name), 'utf8') : null
  const [rules, xml] = [text('robots.txt'), text('sitemap.xml')]
  if (rules === null) notes.push('there is no robots.txt: everything may be read')
  const {allowed, sitemaps} = robots(rules ?? '')
  for (const s of sitemaps) {
    const say = (message) => findings.push({file: 'robots.txt', rule: 'robots-sitemap', message})
    if (!URL.canParse(s)) say(`the address of the sitemap is not whole: ${s}`)
    else if (origin && new URL(s).origin !== origin) say(`the sitemap is of another site than ${origin}: ${s}`)
    else if (!answer(built.dir, new URL(s).pathname)) say(`the sitemap that it names does not exist: ${s}`)
  }
  if (xml === null) return notes.push('there is no sitemap.xml')
  if (rules !== null && sitemaps.length === 0) notes.push('robots.txt names no sitemap')
  const {urls, problems} = read(sax, xml)
  for (const message of problems) findings.push({file: 'sitemap.xml', rule: 'sitemap', message})
  for (const url of urls.filter((u) => URL.canParse(u))) {
    const pathname = new URL(url).pathname
    if (!allowed(pathname)) findings.push({file: 'sitemap.xml', rule: 'robots-sitemap', message: `it lists ${pathname}, which robots.txt forbids`})
    const page = pages.get(answer(built.dir, pathname))
    if (page?.noindex) findings.push({file: 'sitemap.xml', rule: 'noindex-listed', message: `it lists ${pathname}, which is noindex`})
  }
  const listed = new Set(urls.filter((u) => URL.canParse(u)).map((u) => answer(built.dir, new URL(u).pathname)))
  const unlisted = [...pages.values()].filter((p) => !p.noindex && !/^404\./.test(p.page) && allowed(route(p.page)) && !listed.has(p.page))
  if (unlisted.length) notes.push(`not in the sitemap: ${unlisted.map((p) => p.page).join(', ')}`)
}
