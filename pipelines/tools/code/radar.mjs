// New items of feeds (RSS, Atom, RDF, JSON Feed) since the last time, with a
// summary by an OpenAI-compatible endpoint where one is named.
import {tools} from '../install.mjs'
import {Failure, finish, main, oneLine, table, whole, words} from './outcome.mjs'
import {get} from './fetch.mjs'
import {recall, remember} from './memory.mjs'
import {write} from './words.mjs'

const {FEEDS, MAX_ITEMS, BASE_URL, MODEL} = process.env
const kept = 2000 // of each feed: no feed has so many items

/** The items of a feed of any of the four formats: [{id, title, link, date, text}]. */
function items({format, feed}) {
  const text = (v) => (typeof v === 'string' ? v : (v?.value ?? ''))
  const plain = (v) => oneLine(text(v).replace(/<[^>]*>/g, ' ')).slice(0, 500)
  const list = format === 'atom' ? feed.entries : feed.items
  return (list ?? []).map((i) => {
    const link = i.link ?? i.url ?? i.links?.find((l) => !l.rel || l.rel === 'alternate')?.href ?? ''
    const title = plain(i.title) || link
    return {
      id: String(text(i.id) || text(i.guid) || link || title), title, link,
      date: i.published ?? i.updated ?? i.pubDate ?? i.date_published ?? i.dc?.dates?.[0] ?? i.dc?.date ?? null,
      text: plain(i.summary ?? i.description ?? i.content ?? i.content_text ?? i.content_html),
    }
  })
}

async function read(url, parse) {
  try {
    const page = await get(url, {headers: {accept: 'application/rss+xml, application/atom+xml, application/feed+json, application/xml;q=0.9, */*;q=0.8'}})
    if (page.status > 299) throw new Failure(`${url} answers ${page.status}`)
    let feed
    try {
      feed = parse(page.text)
    } catch (err) {
      throw new Failure(`${url} is no feed: ${err.message}`)
    }
    return {url, title: feed.feed.title?.value ?? feed.feed.title ?? url, items: items(feed), error: null}
  } catch (err) {
    if (!(err instanceof Failure)) throw err
    return {url, title: url, items: [], error: err.message}
  }
}

main(async () => {
  const most = whole(MAX_ITEMS, 'max-items')
  const urls = words(FEEDS)
  if (urls.length === 0) throw new Failure('no feed is named: name some with the param feeds')
  const {load} = await tools('code')
  const {parseFeed} = await load('feedsmith')
  const feeds = await Promise.all(urls.map((u) => read(u, parseFeed)))
  const lost = feeds.filter((f) => f.error)
  if (lost.length === feeds.length) throw new Failure(`no feed could be read: ${lost.map((f) => f.error).join('; ')}`)
  const seen = recall('ai-trends-radar', {})
  const fresh = feeds.flatMap((f) => f.items.filter((i) => !seen[f.url]?.includes(i.id)).map((i) => ({feed: oneLine(String(f.title)), ...i}))).slice(0, most)
  let summary = ''
  let by = BASE_URL ? 'nobody: there is nothing new' : 'nobody: no base-url is set'
  if (BASE_URL && fresh.length > 0) {
    summary = await write(
      'You read news for a team of web developers. Say in at most 200 words of plain Markdown what is new and matters, with the links of the items. Use only what is in the list.',
      fresh.map((i) => `${i.title}\n${i.link}\n${i.text}`).join('\n\n'),
    )
    by = `${MODEL} at ${new URL(BASE_URL).host}`
  }
  // After the summary: items of a run that failed come again.
  for (const f of feeds.filter((x) => !x.error)) seen[f.url] = [...new Set([...f.items.map((i) => i.id), ...(seen[f.url] ?? [])])].slice(0, kept)
  remember('ai-trends-radar', seen)
  finish({
    name: 'ai-trends-radar',
    title: 'New on the radar',
    failed: '',
    data: {feeds: feeds.map((f) => ({url: f.url, items: f.items.length, error: f.error})), new: fresh, summary: summary || null, by},
    lines: [
      ...(summary ? [summary, ''] : [`Summed up by ${by}.`, '']),
      ...table(['feed', 'item', 'link', 'date'], fresh.map((i) => [i.feed, i.title, i.link, i.date]), 'No item is new.'),
      ...(lost.length ? ['', '## Could not be read', '', ...lost.map((f) => `- ${f.error}`)] : []),
    ],
  })
})
