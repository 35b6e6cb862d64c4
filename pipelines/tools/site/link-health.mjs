// Follows every link of the built site: internal ones (pages, images, styles,
// anchors) must lead somewhere at once; one to elsewhere is broken when it did
// not answer in this run and in the one before.
import {tools} from '../install.mjs'
import {reader} from './dom.mjs'
import {address, answer, check, memory, number, param, route, serve, site} from './lib.mjs'
import {brokenAnchors, index} from './links.mjs'

await check('link-health', async () => {
  const {load} = await tools('site')
  const [parse, {LinkChecker}] = [reader(await load('parse5')), await load('linkinator')]
  const built = await site()
  const origin = address(parse, built)
  const server = await serve(built.dir)
  let external
  const findings = []
  try {
    const links = await follow(new LinkChecker(), built, server.base, origin)
    external = await judge(links.filter((l) => !l.internal), findings)
    for (const l of links) {
      if (l.internal && l.state === 'BROKEN') findings.push({file: l.parent, rule: 'broken-link', message: `${l.url} leads nowhere (status ${l.status})`})
    }
    external.internal = new Set(links.filter((l) => l.internal).map((l) => l.url)).size
  } finally {
    server.close()
  }
  for (const b of brokenAnchors(built, index(parse, built), origin)) {
    findings.push({file: b.page, line: b.line, rule: 'broken-anchor', message: `${b.href}: ${b.target} has no id "${b.anchor}"`})
  }
  const notes = external.suspects.map((s) => `${s.url} did not answer (${s.reason}), for the first time: it counts as broken if it does not the next time`)
  if (external.skipped.length) notes.push(`${external.skipped.length} keep programs out or were not asked: ${external.skipped.slice(0, 5).join(', ')}`)
  if (param('EXTERNAL', 'true') !== 'true') notes.push('links to elsewhere were not followed: external is false')
  return {checked: `${built.pages.length} pages, ${external.internal} internal addresses, ${external.checked} external ones, ${external.cached} more that answered lately`, findings, notes, data: {external}}
})

/** Every address once, a broken one for each page that leads to it: {url, parent, state, status, internal}. */
async function follow(checker, built, base, origin) {
  const fresh = cached()
  const escape = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  const rewrite = origin ? [{pattern: new RegExp(`^${escape(origin)}(?=[/?#]|$)`), replacement: base}] : []
  const outside = param('EXTERNAL', 'true') === 'true'
  const result = await checker.check({
    path: built.pages.map((p) => base + encodeURI(route(p))),
    recurse: false, concurrency: 20, timeout: number('TIMEOUT_SECONDS', 20) * 1000,
    // A server that asks to wait may ask for a day: it is not waited for.
    retry: false, retryErrors: true, retryErrorsCount: number('RETRIES', 2), retryErrorsJitter: 500,
    urlRewriteExpressions: rewrite, checkCss: true,
    linksToSkip: async (url) => !url.startsWith(base) && (!outside || fresh(url)),
  })
  const name = (parent) => answer(built.dir, new URL(parent).pathname) ?? parent
  return result.links.filter((l) => l.parent).map((l) => {
    const internal = l.url.startsWith(base)
    return {
      url: internal ? l.url.slice(base.length) : l.url, parent: name(l.parent), state: l.status === 429 ? 'SKIPPED' : l.state, status: l.status, internal,
      reason: l.status ? `status ${l.status}` : String(l.failureDetails?.at(-1)?.cause?.code ?? l.failureDetails?.at(-1)?.message ?? 'no answer'),
    }
  })
}

/** Whether a link to elsewhere answered within cache-hours. */
function cached() {
  const {kept} = memory('links')
  const since = Date.now() - number('CACHE_HOURS', 24) * 3600_000
  return (url) => kept[url]?.ok > since
}

/** Remembers what answered, and finds what did not twice in a row. */
async function judge(links, findings) {
  const {kept, save} = memory('links')
  const seen = new Map()
  for (const l of links) seen.set(l.url, [...(seen.get(l.url) ?? []), l])
  const told = {checked: 0, cached: 0, suspects: [], broken: [], skipped: []}
  for (const [url, all] of seen) {
    const l = all[0]
    if (l.state === 'SKIPPED') {
      if (/^https?:/.test(url) && kept[url]?.ok) told.cached++
      else if (/^https?:/.test(url)) told.skipped.push(url)
      continue
    }
    told.checked++
    if (l.state === 'OK') {
      kept[url] = {ok: Date.now()}
      continue
    }
    const failures = (kept[url]?.failures ?? 0) + 1
    kept[url] = {failures, reason: l.reason}
    if (failures < 2) told.suspects.push({url, reason: l.reason})
    else told.broken.push({url, failures})
    if (failures >= 2) for (const p of new Set(all.map((x) => x.parent))) findings.push({file: p, rule: 'broken-external-link', message: `${url} did not answer ${failures} times in a row (${l.reason})`})
  }
  for (const url of Object.keys(kept)) if (!seen.has(url)) delete kept[url] // no page has it any more
  save()
  return told
}
