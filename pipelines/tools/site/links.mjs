// The ids and the links of built pages, and where a link leads.
import {answer, redirects, route} from './lib.mjs'

/** {page → {ids: Set, links: [{href, line}]}} */
export function index(JSDOM, built) {
  const pages = new Map()
  for (const page of built.pages) {
    const dom = new JSDOM(built.read(page), {includeNodeLocations: true})
    const document = dom.window.document
    const ids = new Set()
    for (const e of document.querySelectorAll('[id]')) ids.add(e.id)
    for (const e of document.querySelectorAll('a[name]')) ids.add(e.getAttribute('name'))
    const links = [...document.querySelectorAll('a[href], area[href]')]
      .map((e) => ({href: e.getAttribute('href').trim(), line: dom.nodeLocation(e)?.startLine}))
    pages.set(page, {ids, links, base: document.querySelector('base[href]')?.getAttribute('href')})
    dom.window.close()
  }
  return pages
}

/** Links with an anchor that no page has: {page, line, href, target, anchor}. Those to pages that are not there are left out. */
export function brokenAnchors(built, pages, origin) {
  const inside = 'http://site.invalid'
  const elsewhere = redirects(built.dir)
  const broken = []
  for (const [page, {links, base}] of pages) {
    for (const {href, line} of links) {
      const from = new URL(base ?? '', inside + route(page))
      if (!URL.canParse(href, from)) continue
      const to = new URL(href, from)
      if ((to.origin !== inside && to.origin !== origin) || to.hash.length < 2) continue
      const target = answer(built.dir, to.pathname)
      const anchor = decode(to.hash.slice(1))
      // What a browser does itself: `#top` is the top, `#:~:` begins a text to look for.
      if (!target || !pages.has(target) || elsewhere(to.pathname) || anchor.toLowerCase() === 'top' || anchor.startsWith(':~:')) continue
      const ids = pages.get(target).ids
      if (!ids.has(anchor) && !ids.has(to.hash.slice(1))) broken.push({page, line, href, target, anchor})
    }
  }
  return broken
}

function decode(text) {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
