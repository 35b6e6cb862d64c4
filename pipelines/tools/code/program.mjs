// Runs programs without a shell, and says in one line why one could not do its
// work: a tool that is missing is a failure, never a success.
import {spawn} from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import {Failure, oneLine} from './outcome.mjs'

const most = 64 << 20 // of what a program prints; more would not be read by anybody

/**
 * Runs a program and gives {code, out, err}. With `ok`, a list of exit codes
 * that it may have, any other one is a failure that names what it said.
 */
export function run(argv, {cwd, env, input, ok, hint = ''} = {}) {
  const name = path.basename(argv[0])
  return new Promise((resolve, reject) => {
    const child = spawn(argv[0], argv.slice(1), {cwd, env: {...process.env, ...env}, stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe']})
    const parts = {out: [], err: []}
    let size = 0
    const take = (list) => (b) => {
      size += b.length
      if (size <= most) list.push(b)
    }
    child.stdout.on('data', take(parts.out))
    child.stderr.on('data', take(parts.err))
    child.on('error', (err) => {
      const why = err.code === 'ENOENT' ? `${name} is not installed or not in PATH` : `${name} cannot be started: ${err.message}`
      reject(new Failure(hint ? `${why}: ${hint}` : why))
    })
    child.on('close', (code, signal) => {
      const out = Buffer.concat(parts.out).toString()
      const err = Buffer.concat(parts.err).toString()
      if (size > most) return reject(new Failure(`${name} printed more than ${most >> 20} MiB`))
      if (signal) return reject(new Failure(`${name} was ended by ${signal}`))
      if (ok && !ok.includes(code)) {
        return reject(new Failure(`${name} ${argv[1] ?? ''} ended with exit code ${code}: ${oneLine(err || out) || 'it said nothing'}`))
      }
      resolve({code, out, err})
    })
    if (input !== undefined) {
      child.stdin.on('error', () => {}) // it ended without reading all: its exit code tells
      child.stdin.end(input)
    }
  })
}

/** Runs a program that prints JSON. */
export async function json(argv, options) {
  const {out, err, code} = await run(argv, options)
  try {
    return JSON.parse(out)
  } catch {
    throw new Failure(`${path.basename(argv[0])} ${argv[1] ?? ''} (exit code ${code}) did not print JSON: ${oneLine(err || out) || 'nothing'}`)
  }
}

/** Runs git in a folder. Git never asks a person for a password here. */
export const git = (cwd, ...args) => run(['git', ...args], {cwd, env: {GIT_TERMINAL_PROMPT: '0'}, ok: [0]}).then((r) => r.out.trimEnd())

/** The same, with '' when git says no. */
export const ask = (cwd, ...args) => run(['git', ...args], {cwd, env: {GIT_TERMINAL_PROMPT: '0'}}).then((r) => (r.code === 0 ? r.out.trimEnd() : ''))

/** Where a program is in PATH, or ''. */
export function onPath(name) {
  for (const dir of (process.env.PATH ?? '').split(path.delimiter)) {
    const file = path.join(dir, name)
    try {
      fs.accessSync(file, fs.constants.X_OK)
      if (path.isAbsolute(dir) && fs.statSync(file).isFile()) return file
    } catch {
      // not here
    }
  }
  return ''
}

/** How a tool written in Go is called: the one in PATH, else built from its pinned module where Go is. */
export function goTool(name, module) {
  const found = onPath(name)
  if (found) return [found]
  const go = onPath('go')
  if (go) return [go, 'run', module]
  throw new Failure(`${name} is not installed, and neither is Go to build it: install ${name} or Go and put it into PATH`)
}

/** Redundctl's own command: REDUNDCTL, else the one in PATH. */
export const redundctl = (...args) => [process.env.REDUNDCTL || 'redundctl', ...args]
