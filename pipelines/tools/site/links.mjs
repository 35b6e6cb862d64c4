// The ids and the links of built pages, and where a link leads.
import {base as baseOf} from './dom.mjs'
import {answer, redirects, route} from './lib.mjs'

/** {page → {ids: Set, links: [{href, line}], base}} */
export function index(parse, built) {
  const pages = new Map()
  for (const page of built.pages) {
    const elements = parse(built.read(page))
    const ids = new Set()
    for (const e of elements) {
      if (e.at.id) ids.add(e.at.id)
      if (e.name === 'a' && e.at.name) ids.add(e.at.name)
    }
    const links = elements.filter((e) => (e.name === 'a' || e.name === 'area') && 'href' in e.at).map((e) => ({href: e.at.href.trim(), line: e.line}))
    pages.set(page, {ids, links, base: baseOf(elements)})
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
      const own = inside + route(page)
      const from = URL.canParse(base ?? '', own) ? new URL(base ?? '', own) : own
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
