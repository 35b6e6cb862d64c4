// What the checks of a site have in common: the built site, its pages, a server
// on the loopback that answers as Netlify does, and the report.
//
// Exit codes: 0 nothing was found, 1 something was, 2 it could not be checked.
import {spawn} from 'node:child_process'
import {createHash} from 'node:crypto'
import fs from 'node:fs'
import http from 'node:http'
import os from 'node:os'
import path from 'node:path'
import {cache, lock} from '../install.mjs'
import {has} from './dom.mjs'

/** The value of a param, as the pipeline's `env` hands it on. */
export const param = (name, fallback = '') => process.env[name] || fallback

/** A param that is a number; one that is none ends the check. */
export function number(name, fallback) {
  const text = param(name, String(fallback))
  if (!Number.isFinite(Number(text))) throw new Error(`${name.toLowerCase().replaceAll('_', '-')} is "${text}", which is no number`)
  return Number(text)
}

/** A size as 300KiB in bytes. */
export function size(text) {
  const found = /^(\d+(?:\.\d+)?)\s*(B|KB|KiB|MB|MiB)?$/.exec(text.trim())
  if (!found) throw new Error(`"${text}" is no size: write it as 300KiB`)
  return Number(found[1]) * {B: 1, KB: 1e3, KiB: 1024, MB: 1e6, MiB: 1024 ** 2}[found[2] ?? 'B']
}

export const kib = (bytes) => `${(bytes / 1024).toFixed(1)} KiB`

/**
 * The built site, as a copy of this run's own: other runs build into the same
 * folder, and a build empties it first. With BUILD=true it is built before.
 */
export async function site() {
  const from = param('SITE', 'dist')
  const to = fs.mkdtempSync(path.join(os.tmpdir(), 'redundctl-site-'))
  process.on('exit', () => fs.rmSync(to, {recursive: true, force: true}))
  for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => process.exit(130))
  await alone(async () => {
    if (param('BUILD') === 'true') await build()
    if (!fs.statSync(from, {throwIfNoEntry: false})?.isDirectory()) {
      throw new Error(`there is no folder ${from} with a built site: name it by the param site, and let build be true unless it is built already`)
    }
    fs.cpSync(from, to, {recursive: true, dereference: true})
  })
  const pages = fs.readdirSync(to, {recursive: true}).map((f) => f.split(path.sep).join('/')).filter((f) => /\.html?$/i.test(f)).sort()
  if (pages.length === 0) throw new Error(`no page (*.html) is in ${from}`)
  return {dir: to, name: from, pages, read: (page) => fs.readFileSync(path.join(to, page), 'utf8')}
}

/** Does something while no other run of this project builds or copies the site. */
export async function alone(work) {
  fs.mkdirSync(cache(), {recursive: true, mode: 0o700})
  const unlock = await lock(path.join(cache(), `build-${project()}.lock`))
  try {
    return await work()
  } finally {
    unlock()
  }
}

export const project = () => createHash('sha256').update(fs.realpathSync('.')).digest('hex').slice(0, 16)

function build() {
  return new Promise((resolve, reject) => {
    const child = spawn('npm', ['run', '--silent', 'build'], {stdio: ['ignore', 'pipe', 'pipe']})
    let said = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (b) => (said = (said + b).slice(-2000)))
    child.on('error', (err) => reject(new Error(`npm, which builds the site, cannot be started: ${err.message}`)))
    child.on('close', (code, signal) => {
      if (code === 0) return resolve()
      reject(new Error(`the site could not be built: npm run build: ${signal || `exit code ${code}`}: ${line(said) || 'it says no more: is there a script build in package.json? The param build=false takes the site as it is'}`))
    })
  })
}

const line = (text) => text.replace(/\s+/g, ' ').trim()

/** What is remembered between runs, for this project on this machine. Without it a check begins anew. */
export function memory(name) {
  const file = path.join(cache(), 'memory', `${name}-${project()}.json`)
  let kept = {}
  try {
    kept = JSON.parse(fs.readFileSync(file, 'utf8'))
  } catch (err) {
    if (err.code !== 'ENOENT' && !(err instanceof SyntaxError)) throw err
  }
  const save = () => {
    fs.mkdirSync(path.dirname(file), {recursive: true, mode: 0o700})
    fs.writeFileSync(`${file}.${process.pid}`, JSON.stringify(kept), {mode: 0o600})
    fs.renameSync(`${file}.${process.pid}`, file)
  }
  return {kept, save}
}

/** The path of a page below the address of the site. */
export const route = (page) => '/' + page.replace(/(^|\/)index\.html?$/i, '$1')

/** The file of a site that answers for a path, as Netlify finds it; null without one. */
export function answer(dir, pathname) {
  let name
  try {
    name = path.posix.normalize(decodeURIComponent(pathname))
  } catch {
    return null
  }
  for (const file of [name, `${name}/index.html`, `${name.replace(/\/$/, '')}.html`]) {
    const full = path.join(dir, file)
    if (full.startsWith(dir) && fs.statSync(full, {throwIfNoEntry: false})?.isFile()) return path.posix.normalize(file).replace(/^\//, '')
  }
  return null
}

/** The paths that `_redirects` and netlify.toml answer for, as functions of a path. */
export function redirects(dir) {
  const from = []
  const read = (file) => fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : ''
  for (const l of read(path.join(dir, '_redirects')).split('\n')) if (/^\s*\//.test(l)) from.push(l.trim().split(/\s+/)[0])
  for (const block of read('netlify.toml').split(/^\s*\[\[redirects\]\]/m).slice(1)) {
    const found = /^\s*from\s*=\s*["']([^"']+)["']/m.exec(block.split(/^\s*\[/m)[0])
    if (found) from.push(found[1])
  }
  // A rule for everything (`/*`) would hide each broken link.
  const rules = from.filter((f) => f !== '/*').map((f) => new RegExp('^' + f.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replace(/\*/g, '.*').replace(/:\w+/g, '[^/]+') + '/?$'))
  return (pathname) => rules.some((r) => r.test(pathname))
}

const types = {html: 'text/html; charset=utf-8', htm: 'text/html; charset=utf-8', css: 'text/css', js: 'text/javascript', svg: 'image/svg+xml', xml: 'application/xml', json: 'application/json', txt: 'text/plain'}

/** Serves a built site on the loopback and gives its address and what closes it. */
export async function serve(dir) {
  const redirected = redirects(dir)
  const server = http.createServer((req, res) => {
    const {pathname} = new URL(req.url, 'http://localhost')
    const file = answer(dir, pathname)
    if (file) {
      res.writeHead(200, {'content-type': types[path.extname(file).slice(1).toLowerCase()] ?? 'application/octet-stream'})
      return fs.createReadStream(path.join(dir, file)).pipe(res)
    }
    // What redirects and functions answer cannot be known from the files.
    const elsewhere = redirected(pathname) || pathname.startsWith('/.netlify/')
    res.writeHead(elsewhere ? 200 : 404, {'content-type': 'text/plain'}).end()
  })
  await new Promise((resolve, reject) => server.on('error', reject).listen(0, '127.0.0.1', resolve))
  return {base: `http://127.0.0.1:${server.address().port}`, close: () => (server.closeAllConnections(), server.close())}
}

/** The address of the site: the param, or what its front page calls canonical. */
export function address(parse, built) {
  const given = param('SITE_URL')
  if (given) return new URL(given).origin
  if (!built.pages.includes('index.html')) return ''
  const link = parse(built.read('index.html')).find((e) => e.name === 'link' && has(e, 'rel', 'canonical'))?.at.href ?? ''
  return URL.canParse(link) ? new URL(link).origin : ''
}

/** Files below a folder whose names match, without what is hidden or installed. */
export function files(folder, pattern) {
  if (!fs.existsSync(folder)) throw new Error(`there is no folder ${folder}`)
  const hidden = /(^|\/)(\.[^/]+|node_modules)(\/|$)/
  return fs.readdirSync(folder, {recursive: true}).map((f) => path.posix.join(folder, f.split(path.sep).join('/')))
    .filter((f) => pattern.test(f) && !hidden.test(path.posix.relative(folder, f)) && fs.statSync(f).isFile()).sort()
}

/**
 * Runs a check, writes its report into REDUND_ARTIFACTS and sets the exit code.
 * What it gives: {checked, findings: [{file, line, rule, message}], notes, data}.
 */
export async function check(name, work) {
  try {
    const found = {notes: [], data: {}, ...(await work())}
    keep(`${name}.json`, JSON.stringify({pipeline: name, checked: found.checked, findings: found.findings, notes: found.notes, ...found.data}, null, 2) + '\n')
    keep(`${name}.md`, markdown(name, found))
    for (const note of found.notes) console.log(`note: ${note}`)
    for (const f of found.findings.slice(0, 200)) console.log(`${place(f)}: ${f.message} [${f.rule}]`)
    if (found.findings.length > 200) console.log(`… and ${found.findings.length - 200} more: see the report`)
    const n = found.findings.length
    console.log(`${name}: ${found.checked}, ${n} finding${n === 1 ? '' : 's'}`)
    if (n > 0) end(1, `${n} finding${n === 1 ? '' : 's'}: ${found.findings.slice(0, 3).map((f) => `${place(f)}: ${f.message}`).join('; ')}${n > 3 ? '; …' : ''}`)
  } catch (err) {
    console.error(err.constructor === Error ? err.message : err.stack)
    end(2, `${name} could not be done: ${err.message}`)
  }
}

function end(code, reason) {
  if (process.env.REDUND_OUTPUT) fs.appendFileSync(process.env.REDUND_OUTPUT, `error=${line(reason).slice(0, 600)}\n`)
  process.exitCode = code
}

/** Writes a file into the artifacts of the run; without any, nowhere. */
export function keep(name, content) {
  const dir = process.env.REDUND_ARTIFACTS
  if (!dir) return
  fs.mkdirSync(path.dirname(path.join(dir, name)), {recursive: true})
  fs.writeFileSync(path.join(dir, name), content)
}

const place = (f) => f.file + (f.line ? `:${f.line}` : '')

function markdown(name, found) {
  const cell = (text) => line(String(text)).replaceAll('|', '\\|')
  const rows = found.findings.map((f) => `| ${cell(place(f))} | ${cell(f.rule)} | ${cell(f.message)} |`)
  const table = rows.length ? ['| where | rule | what |', '|---|---|---|', ...rows] : ['Nothing was found.']
  return [`# ${name}`, '', `${found.checked}.`, '', ...table, '', ...found.notes.map((n) => `- ${cell(n)}`), ''].join('\n')
}
