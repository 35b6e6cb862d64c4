// What a pipeline knows from its last run: a file in the user's cache for each
// project, so that the work tree stays clean and `git clean` cannot take it
// away. Without it a pipeline begins anew, which every one of them can.
import {createHash} from 'node:crypto'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'

function place(name) {
  const cache = process.env.XDG_CACHE_HOME || path.join(os.homedir(), process.platform === 'darwin' ? 'Library/Caches' : '.cache')
  const project = createHash('sha256').update(fs.realpathSync('.')).digest('hex').slice(0, 16)
  return path.join(cache, 'redundctl', 'memory', project, `${name}.json`)
}

/** What was remembered, or what is given for nothing. A file that cannot be read is nothing. */
export function recall(name, nothing) {
  try {
    return JSON.parse(fs.readFileSync(place(name), 'utf8'))
  } catch {
    return nothing
  }
}

/** Remembers a value, whole or not at all. */
export function remember(name, value) {
  const file = place(name)
  fs.mkdirSync(path.dirname(file), {recursive: true, mode: 0o700})
  const made = `${file}.${process.pid}`
  fs.writeFileSync(made, JSON.stringify(value), {mode: 0o600})
  fs.renameSync(made, file)
}
