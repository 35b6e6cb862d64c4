// Knip over one package: what nobody uses, and what is used without being
// declared. Its own configuration holds (knip.json, `knip` in package.json);
// where there is none, the entries given are where the code begins.
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import {tools} from '../install.mjs'
import {Failure, oneLine, words} from './outcome.mjs'
import {run} from './program.mjs'

const configs = ['knip.json', 'knip.jsonc', '.knip.json', '.knip.jsonc', 'knip.ts', 'knip.js', 'knip.config.ts', 'knip.config.js']

/** Reads the package.json of a folder. */
export function manifest(dir) {
  try {
    return JSON.parse(fs.readFileSync(path.join(dir, 'package.json'), 'utf8'))
  } catch (err) {
    const why = err.code === 'ENOENT' ? 'there is none' : err.message
    throw new Failure(`${path.join(dir, 'package.json')}: ${why}: name the folder of the package with a param`)
  }
}

/** Gives [{kind, name, file, line}], sorted; kinds are knip's: files, exports, types, dependencies, unlisted, … */
export async function knip(dir, entry) {
  const own = manifest(dir).knip !== undefined || configs.some((c) => fs.existsSync(path.join(dir, c)))
  const {bin} = await tools('code')
  const temp = fs.mkdtempSync(path.join(os.tmpdir(), 'knip-'))
  try {
    const argv = [process.execPath, bin('knip'), '--directory', path.resolve(dir), '--reporter', 'json', '--no-exit-code', '--no-progress', '--no-config-hints']
    if (!own && entry) {
      const file = path.join(temp, 'knip.json')
      fs.writeFileSync(file, JSON.stringify({entry: words(entry), project: ['**/*.{js,mjs,cjs,jsx,ts,mts,cts,tsx}', '!pipelines/tools/**', '!**/dist/**']}))
      argv.push('--config', file)
    }
    const {out, err, code} = await run(argv)
    let report
    try {
      report = JSON.parse(out.slice(out.indexOf('{')))
    } catch {
      throw new Failure(`knip in ${dir} ended with exit code ${code} and without a report: ${oneLine(err || out)}`)
    }
    // The scripts of the catalogue are called by pipelines, which knip does not read.
    return flat(report).filter((f) => !path.relative('.', path.join(dir, f.file)).startsWith(path.join('pipelines', 'tools') + path.sep))
  } finally {
    fs.rmSync(temp, {recursive: true, force: true})
  }
}

function flat(report) {
  const list = []
  for (const of of report.issues) {
    for (const [kind, found] of Object.entries(of)) {
      // Some kinds are lists of lists: names that stand for one thing.
      if (Array.isArray(found)) for (const f of found.flat()) list.push({kind, name: f.name, file: of.file, line: f.line ?? null})
    }
  }
  return list.sort((a, b) => [a.kind, a.file, a.name].join('\0').localeCompare([b.kind, b.file, b.name].join('\0')))
}
