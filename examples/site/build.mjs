// Builds the site: src/pages/*.md through src/template.html and src/pages/*.html
// as they are, with src/images and src/static beside them, into dist/.
import fs from 'node:fs'
import path from 'node:path'
import {fileURLToPath} from 'node:url'
import {escape, markdown} from './src/lib/markdown.mjs'
import {frontMatter} from './src/lib/front-matter.mjs'

const root = path.dirname(fileURLToPath(import.meta.url))
const pages = path.join(root, 'src/pages')
const dist = path.join(root, 'dist')
const address = process.env.URL || 'https://harbour-rowing.example'
const template = fs.readFileSync(path.join(root, 'src/template.html'), 'utf8')

function page(file) {
  const {meta, body} = frontMatter(fs.readFileSync(path.join(pages, file), 'utf8'))
  const url = `${address}/${file.replace(/\.md$/, '.html').replace(/(^|\/)index\.html$/, '$1')}`
  const head = [`<link rel="canonical" href="${escape(url)}">`]
  if (meta.title) head.push(`<title>${escape(meta.title)}</title>`)
  if (meta.description) head.push(`<meta name="description" content="${escape(meta.description)}">`)
  for (const pair of (meta.languages ?? '').split(',').filter(Boolean)) {
    const [lang, to] = pair.trim().split('=')
    head.push(`<link rel="alternate" hreflang="${escape(lang)}" href="${escape(address + to)}">`)
  }
  const about = {'@context': 'https://schema.org', '@type': 'WebPage', name: meta.title || 'Harbour Rowing Club', url}
  head.push(`<script type="application/ld+json">${JSON.stringify(about).replaceAll('<', '\\u003c')}</script>`)
  const parts = {lang: meta.lang || 'en', head: head.join('\n'), body: markdown(body)}
  return template.replace(/\{\{(\w+)\}\}/g, (_, name) => parts[name])
}

fs.rmSync(dist, {recursive: true, force: true})
fs.cpSync(path.join(root, 'src/static'), dist, {recursive: true})
fs.cpSync(path.join(root, 'src/images'), path.join(dist, 'images'), {recursive: true})
let built = 0
for (const file of fs.readdirSync(pages, {recursive: true}).sort()) {
  const to = path.join(dist, file.replace(/\.md$/, '.html'))
  if (!/\.(md|html)$/.test(file)) continue
  fs.mkdirSync(path.dirname(to), {recursive: true})
  if (file.endsWith('.md')) fs.writeFileSync(to, page(file))
  else fs.copyFileSync(path.join(pages, file), to)
  built++
}
console.log(`built ${built} pages into dist/`)
