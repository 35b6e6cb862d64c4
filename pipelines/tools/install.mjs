// Puts the npm packages of one group of tools (a folder beside this file with a
// package.json and its lock) into the user's cache, once for each lock, and
// leaves the project as it is. The scripts of the group find them by `tools`.
//
//   node pipelines/tools/install.mjs site
//
// Several runs may do it at once: one works and the others wait, and whichever
// has all of it first moves it into place, which is one rename.
import {spawn} from 'node:child_process'
import {createHash} from 'node:crypto'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import {fileURLToPath, pathToFileURL} from 'node:url'

const here = path.dirname(fileURLToPath(import.meta.url))
const stale = 30_000 // a lock that was not touched for so long has lost its owner
const unused = 60 * 24 * 3600_000 // tools that nothing asked for in so long are removed

/** The folder of a group's packages, whether or not they are there. */
function place(group) {
  const hash = createHash('sha256').update([process.platform, process.arch, process.versions.node.split('.')[0]].join())
  for (const name of ['package.json', 'package-lock.json']) hash.update(fs.readFileSync(path.join(here, group, name)))
  return path.join(cache(), 'tools', `${group}-${hash.digest('hex').slice(0, 16)}`)
}

/** The folder of the user's for what can be made again. */
export function cache() {
  const dir = process.env.XDG_CACHE_HOME || path.join(os.homedir(), process.platform === 'darwin' ? 'Library/Caches' : '.cache')
  return path.join(dir, 'redundctl')
}

/** Installs a group unless it is there, and gives the folder that holds node_modules. */
export async function install(group) {
  const dir = place(group)
  if (!fs.existsSync(dir)) {
    fs.mkdirSync(path.dirname(dir), {recursive: true, mode: 0o700})
    const unlock = await lock(`${dir}.lock`)
    try {
      if (!fs.existsSync(dir)) await fill(dir, group)
    } finally {
      unlock()
    }
    sweep(path.dirname(dir))
  }
  fs.utimesSync(dir, new Date(), new Date())
  return dir
}

/** What scripts use: load('name') imports a package of the group, bin('name') is a program's path. */
export async function tools(group) {
  const dir = await install(group)
  const {default: load} = await import(pathToFileURL(path.join(dir, 'load.mjs')).href)
  return {load, bin: (name) => path.join(dir, 'node_modules', '.bin', name), dir}
}

async function fill(dir, group) {
  const made = fs.mkdtempSync(path.join(path.dirname(dir), 'making-'))
  try {
    for (const name of ['package.json', 'package-lock.json']) fs.copyFileSync(path.join(here, group, name), path.join(made, name))
    // An import is resolved from the file that has it, so it has to lie here.
    fs.writeFileSync(path.join(made, 'load.mjs'), 'export default (name) => import(name)\n')
    await npm(made)
    try {
      fs.renameSync(made, dir)
    } catch (err) {
      if (!fs.existsSync(dir)) throw err // else another was faster, and its tools are the same
    }
  } finally {
    fs.rmSync(made, {recursive: true, force: true})
  }
}

function npm(dir) {
  const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error']
  return new Promise((resolve, reject) => {
    const child = spawn('npm', args, {cwd: dir, stdio: ['ignore', 'pipe', 'pipe']})
    let said = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (b) => (said = (said + b).slice(0, 2000)))
    child.on('error', (err) => reject(new Error(`npm cannot be started: ${err.message}; it comes with node`)))
    child.on('close', (code, signal) => {
      if (code === 0) return resolve()
      reject(new Error(`npm could not fetch them (${signal || `exit code ${code}`}): ${said.replace(/\s+/g, ' ').trim()}`))
    })
  })
}

/** Takes a lock, a folder whose time its owner keeps fresh, and gives what lets it go. Of tools it spares work alone: the rename is what keeps runs apart. */
export async function lock(name) {
  for (;;) {
    try {
      fs.mkdirSync(name)
      const beat = setInterval(() => touch(name), 2000)
      const unlock = () => {
        clearInterval(beat)
        process.off('exit', unlock)
        fs.rmSync(name, {recursive: true, force: true})
      }
      process.on('exit', unlock)
      return unlock
    } catch (err) {
      if (err.code !== 'EEXIST') throw err
    }
    const at = fs.statSync(name, {throwIfNoEntry: false})?.mtimeMs
    if (at && Date.now() - at > stale) fs.rmSync(name, {recursive: true, force: true})
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
}

function touch(name) {
  try {
    fs.utimesSync(name, new Date(), new Date())
  } catch {
    // Taken away by one that thought us dead: the rename decides.
  }
}

/** Removes what no run has used for long, and what was left half made. */
function sweep(parent) {
  for (const name of fs.readdirSync(parent)) {
    const at = fs.statSync(path.join(parent, name), {throwIfNoEntry: false})?.mtimeMs ?? Date.now()
    const age = Date.now() - at
    if (age > unused || (name.startsWith('making-') && age > 24 * 3600_000)) fs.rmSync(path.join(parent, name), {recursive: true, force: true})
  }
}

if (process.argv[1] && fs.realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const group = process.argv[2] ?? ''
  try {
    if (!fs.existsSync(path.join(here, group, 'package-lock.json'))) throw new Error('it names no folder with a package-lock.json')
    console.log(await install(group))
  } catch (err) {
    console.error(`installing the tools of "${group}": ${err.message}`)
    process.exitCode = 1
  }
}
