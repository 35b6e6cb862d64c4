// What a sitemap holds, and what its schema forbids
// (https://www.sitemaps.org/protocol.html and sitemap.xsd of the namespace).
const namespace = 'http://www.sitemaps.org/schemas/sitemap/0.9'
const date = /^\d{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01])(T([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d+)?)?(Z|[+-]\d{2}:\d{2}))?)?)?$/
const often = ['always', 'hourly', 'daily', 'weekly', 'monthly', 'yearly', 'never']

/** With sax: {urls: [address], problems: [text]}. An index of sitemaps lists no page. */
export function read(sax, xml) {
  const [urls, problems] = [[], []]
  let root
  try {
    root = tree(sax, xml)
  } catch (err) {
    return {urls, problems: [`it is no XML: ${err.message.split('\n').slice(0, 2).join(', ')}`]}
  }
  if (root.uri === namespace && root.local === 'sitemapindex') return {urls, problems}
  if (root.local !== 'urlset' || root.uri !== namespace) return {urls, problems: [`its root is ${root.local}, not urlset of ${namespace}`]}
  if (Buffer.byteLength(xml) > 50 * 1024 ** 2) problems.push('it has more than 50 MiB')
  if (root.children.length === 0) problems.push('it lists nothing')
  if (root.children.length > 50_000) problems.push('it lists more than 50,000 addresses')
  for (const url of root.children) {
    if (url.uri !== namespace) continue // another namespace's is allowed
    if (url.local === 'url') entry(url, urls, problems)
    else problems.push(`${url.local} is no url`)
  }
  if (new Set(urls).size !== urls.length) problems.push(`an address is listed twice: ${urls.find((u, i) => urls.indexOf(u) !== i)}`)
  return {urls, problems}
}

/** The elements: {local, uri, text, children}. */
function tree(sax, xml) {
  const parser = sax.parser(true, {xmlns: true})
  const open = [{children: []}]
  parser.onerror = (err) => {
    throw err
  }
  parser.onopentag = ({local, uri}) => {
    const node = {local, uri, text: '', children: []}
    open.at(-1).children.push(node)
    open.push(node)
  }
  parser.ontext = parser.oncdata = (text) => (open.at(-1).text += text)
  parser.onclosetag = () => open.pop()
  parser.write(xml).close()
  if (open[0].children.length !== 1) throw new Error('it has no root')
  return open[0].children[0]
}

function entry(url, urls, problems) {
  const parts = new Map()
  for (const e of url.children) {
    if (e.uri !== namespace) continue
    if (parts.has(e.local)) problems.push(`a url has ${e.local} twice`)
    parts.set(e.local, e.text.trim())
  }
  const loc = parts.get('loc')
  if (!loc) return problems.push('a url has no loc')
  urls.push(loc)
  const say = (what) => problems.push(`${loc}: ${what}`)
  if (!URL.canParse(loc) || !/^https?:$/.test(new URL(loc).protocol)) say('it is no address with http or https')
  if (loc.length < 12 || loc.length > 2048) say('an address has 12 to 2,048 characters')
  for (const [name, text] of parts) {
    if (name === 'lastmod' && (!date.test(text) || Number.isNaN(Date.parse(text)))) say(`lastmod is "${text}", no date as 2025-01-31 or 2025-01-31T10:00:00Z`)
    else if (name === 'changefreq' && !often.includes(text)) say(`changefreq is "${text}", none of ${often.join(', ')}`)
    else if (name === 'priority' && !(/^[\d.]+$/.test(text) && Number(text) >= 0 && Number(text) <= 1)) say(`priority is "${text}", not from 0.0 to 1.0`)
    else if (!['loc', 'lastmod', 'changefreq', 'priority'].includes(name)) say(`${name} is not of the schema`)
  }
}
