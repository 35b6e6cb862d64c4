// What a deployed site tells browsers about its safety: headers, the end of its
// certificate, and pages that load parts without TLS.
import tls from 'node:tls'
import {tools} from '../install.mjs'
import {Failure, finish, main, table, whole, words} from './outcome.mjs'
import {get} from './fetch.mjs'

const {SITE_URL: ADDRESS, PAGES, HEADERS, MIN_DAYS} = process.env

/** Days until the certificate of a server ends, or null for a site without TLS. */
function certificate(address) {
  if (address.protocol !== 'https:') return Promise.resolve(null)
  return new Promise((resolve, reject) => {
    const host = address.hostname.replace(/^\[|\]$/g, '')
    // Not checked here: one that has ended is to be told of, not to stop the look; the pages are fetched with all checks.
    const socket = tls.connect({host, port: Number(address.port || 443), servername: /^[\d.:]+$/.test(host) ? '' : host, rejectUnauthorized: false, timeout: 30_000})
    socket.on('secureConnect', () => {
      const {valid_to: to} = socket.getPeerCertificate()
      socket.destroy()
      resolve({ends: new Date(to).toISOString(), days: Math.floor((Date.parse(to) - Date.now()) / 86_400_000)})
    })
    socket.on('timeout', () => socket.destroy(new Error('no answer within 30 s')))
    socket.on('error', (err) => reject(new Failure(`${address.host}: ${err.message}`)))
  })
}

// What a browser loads by itself; a link is not loaded until somebody follows it.
const loads = {img: ['src', 'srcset'], script: ['src'], iframe: ['src'], audio: ['src'], video: ['src', 'poster'], source: ['src', 'srcset'], embed: ['src'], object: ['data'], link: ['href'], form: ['action']}

/** The parts that a page asks for without TLS. */
function mixed(Parser, html) {
  const found = []
  const parser = new Parser({
    onopentag(name, attributes) {
      if (name === 'link' && !/\b(stylesheet|icon|preload|manifest|modulepreload)\b/i.test(attributes.rel ?? '')) return
      for (const key of loads[name] ?? []) {
        for (const part of key === 'srcset' ? (attributes[key] ?? '').split(',') : [attributes[key] ?? '']) {
          if (/^\s*http:\/\//i.test(part)) found.push(`<${name}> ${part.trim().split(/\s/)[0]}`)
        }
      }
    },
  })
  parser.end(html)
  return found
}

/** Headers that are not there. A policy of frames in the CSP does what X-Frame-Options does. */
function missing(headers) {
  const csp = headers.get('content-security-policy') ?? ''
  return words(HEADERS).filter((h) => !headers.get(h) && !(h.toLowerCase() === 'x-frame-options' && /frame-ancestors/.test(csp)))
}

main(async () => {
  const days = whole(MIN_DAYS, 'min-days')
  let site
  try {
    site = new URL(ADDRESS)
  } catch {
    throw new Failure(`url: "${ADDRESS}" is no address`)
  }
  const {load} = await tools('code')
  const {Parser} = await load('htmlparser2')
  const findings = []
  const cert = await certificate(site)
  if (cert && cert.days < days) findings.push(`the certificate of ${site.host} ends on ${cert.ends.slice(0, 10)}, in ${cert.days} days, less than ${days}`)
  const pages = []
  for (const p of words(PAGES)) {
    const page = await get(new URL(p, site).href).catch((err) => {
      if (cert && cert.days < days) return null // that it has ended is the finding
      throw err
    })
    if (!page) continue
    if (page.status > 299) throw new Failure(`${page.url}: it answers ${page.status}`)
    const one = {url: page.url, missing: missing(page.headers), mixed: site.protocol === 'https:' ? mixed(Parser, page.text) : []}
    if (one.missing.length) findings.push(`${one.url} has no ${one.missing.join(', ')}`)
    if (one.mixed.length) findings.push(`${one.url} loads without TLS: ${one.mixed.join(', ')}`)
    pages.push(one)
  }
  if (site.protocol !== 'https:') findings.push(`${site.origin} is served without TLS`)
  finish({
    name: 'security-audit',
    title: `Safety of ${site.origin}`,
    failed: findings.join('; '),
    data: {site: site.origin, certificate: cert, pages},
    lines: [
      cert ? `The certificate ends on ${cert.ends.slice(0, 10)}, in ${cert.days} days.` : 'There is no certificate: the site is served without TLS.',
      '',
      ...table(['page', 'missing headers', 'loaded without TLS'], pages.map((p) => [p.url, p.missing.join(', '), p.mixed.join(', ')])),
    ],
  })
})
