// Follows the links of a site from its front page, breadth first: what answers
// with what, how many clicks away it is, what it weighs with all that it loads,
// and which pages no link leads to. linkinator knows neither depth nor weight.
import {tools} from '../install.mjs'
import {base as baseOf, has, reader} from './dom.mjs'
import {address, answer, check, kib, number, param, route, serve, site} from './lib.mjs'
import {read as readSitemap} from './sitemap-xml.mjs'

const loads = ['img', 'script', 'source', 'video', 'audio', 'iframe', 'embed']

await check('site-crawler', async () => {
  const {load} = await tools('site')
  const [parse, {default: sax}] = [reader(await load('parse5')), await load('sax')]
  const deployed = param('SITE_ADDRESS')
  if (deployed) return crawl(parse, {base: new URL(deployed).origin, origin: '', expected: (base) => listed(sax, base)})
  const built = await site()
  const server = await serve(built.dir)
  try {
    // The page for what is not found has no link to it, nor should it.
    const pages = built.pages.filter((p) => !/^(404|_.*)\.html?$/.test(p))
    return await crawl(parse, {base: server.base, origin: address(parse, built), expected: () => pages.map(route), file: (p) => answer(built.dir, p)})
  } finally {
    server.close()
  }
})

async function crawl(parse, {base, origin, expected, file}) {
  const most = number('MAX_PAGES', 5000)
  const seen = new Map() // path → what is known of it
  const weights = new Map() // address of a picture, script, … → {bytes, status}
  let wave = [{path: '/', depth: 0, from: ''}]
  const visit = async ({path, depth, from}) => {
    const got = await get(base + path)
    const page = {path, depth, from, ...got.told, weight: got.told.bytes, assets: 0}
    seen.set(path, page)
    if (!got.text) return []
    const {links, assets} = read(parse, got.text, base, origin, got.told.url)
    for (const asset of assets) {
      if (!weights.has(asset)) weights.set(asset, get(asset).then((a) => a.told))
      const a = await weights.get(asset)
      page.weight += a.bytes
      page.assets++
      if (a.status === 0 || a.status >= 500) page.failing = {url: asset, ...a}
    }
    return links.map((p) => ({path: p, depth: depth + 1, from: path}))
  }
  while (wave.length && seen.size < most) {
    const next = new Map()
    wave = wave.slice(0, most - seen.size)
    for (let i = 0; i < wave.length; i += 8) {
      for (const found of await Promise.all(wave.slice(i, i + 8).map(visit))) for (const l of found) if (!next.has(l.path)) next.set(l.path, l)
    }
    wave = [...next.values()].filter((l) => !seen.has(l.path))
  }
  return verdict([...seen.values()], await expected(base), {whole: wave.length === 0, base, file})
}

async function verdict(pages, expected, {whole, base, file}) {
  const findings = []
  const name = (path) => (path.startsWith(base) ? path.slice(base.length) : path)
  for (const p of pages) {
    if (p.status === 0 || p.status >= 500) findings.push({file: p.path, rule: 'server-error', message: `${p.status ? `status ${p.status}` : `no answer (${p.reason})`}${p.from ? `, linked from ${p.from}` : ''}`})
    if (p.failing) findings.push({file: p.path, rule: 'server-error', message: `it loads ${name(p.failing.url)}: ${p.failing.status ? `status ${p.failing.status}` : p.failing.reason}`})
  }
  const front = pages.find((p) => p.path === '/')
  if (front.status >= 400 && front.status < 500) throw new Error(`the front page answers with status ${front.status}`)
  const reached = new Set(pages.flatMap((p) => [p.path, file?.(p.path)]))
  const orphans = expected.filter((p) => !reached.has(p) && !(file && reached.has(file(p))))
  if (whole) for (const o of orphans) findings.push({file: o, rule: 'orphan', message: 'no link leads to it from the front page'})
  const notes = whole ? [] : [`more than max-pages were found: the rest was not visited, and orphans cannot be told`]
  const html = pages.filter((p) => p.html && p.status < 400)
  for (const p of pages.filter((x) => x.status >= 400 && x.status < 500)) notes.push(`${p.path}: status ${p.status}, linked from ${p.from}`)
  for (const p of [...html].sort((a, b) => b.weight - a.weight).slice(0, 3)) notes.push(`${p.path} weighs ${kib(p.weight)} with the ${p.assets} files that it loads`)
  const depth = Math.max(...html.map((p) => p.depth), 0)
  return {checked: `${html.length} pages, at most ${depth} clicks from the front page`, findings, notes, data: {pages: pages.map(({failing, html: _, ...p}) => p), orphans}}
}

/** One GET, not followed out of the site; its status is 0 when nothing answered. */
async function get(url) {
  try {
    const res = await fetch(url, {signal: AbortSignal.timeout(number('TIMEOUT_SECONDS', 20) * 1000), headers: {'user-agent': 'redundctl site-crawler'}})
    const body = Buffer.from(await res.arrayBuffer())
    const html = (res.headers.get('content-type') ?? '').startsWith('text/html')
    const inside = new URL(res.url).origin === new URL(url).origin
    return {told: {status: res.status, bytes: body.length, html, url: res.url}, text: html && inside && res.ok ? body.toString('utf8') : ''}
  } catch (err) {
    return {told: {status: 0, bytes: 0, html: false, url, reason: err.cause?.code ?? err.message}, text: ''}
  }
}

function read(parse, text, base, origin, url) {
  const elements = parse(text)
  const named = baseOf(elements) ?? ''
  const from = URL.canParse(named, url) ? new URL(named, url) : url
  const inside = (href) => {
    if (href === undefined || !URL.canParse(href, from)) return null
    const to = new URL(href, from)
    return to.origin === base || (origin && to.origin === origin) ? to.pathname + to.search : null
  }
  const [links, assets] = [new Set(), new Set()]
  for (const e of elements) {
    const link = e.name === 'a' || e.name === 'area' ? inside(e.at.href) : null
    if (link && !link.startsWith('/.netlify/')) links.add(link)
    const loaded = e.name === 'link' ? ['stylesheet', 'icon', 'preload'].some((r) => has(e, 'rel', r)) && e.at.href : loads.includes(e.name) && e.at.src
    const asset = loaded ? inside(loaded) : null
    if (asset) assets.add(base + asset)
  }
  return {links: [...links], assets: [...assets]}
}

/** The pages that the sitemap of a deployed site names; an unreadable one ends the check, one that is not there does not. */
async function listed(sax, base) {
  const res = await fetch(`${base}/sitemap.xml`, {signal: AbortSignal.timeout(number('TIMEOUT_SECONDS', 20) * 1000)})
  if (res.status === 404) return []
  if (!res.ok) throw new Error(`sitemap.xml answers with status ${res.status}`)
  const {urls, problems} = readSitemap(sax, await res.text())
  if (urls.length === 0) throw new Error(`the sitemap of ${base} cannot be read: ${problems[0] ?? 'it lists no page'}`)
  return urls.filter((u) => URL.canParse(u)).map((u) => new URL(u).pathname)
}
