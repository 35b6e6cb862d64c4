// How every script of this group ends: a report as JSON and as Markdown in
// REDUND_ARTIFACTS, what a person reads on standard output, the finding in one
// line as the output `error`, and exit code 1 when there is one.
import fs from 'node:fs'
import path from 'node:path'

/** A failure that is told in one line, without a stack. */
export class Failure extends Error {}

/**
 * Writes the report and sets the exit code.
 * name: of the report's files; title: its heading; failed: why the run fails, in one line, or '';
 * data: what the JSON holds; lines: the Markdown's.
 */
export function finish({name, title, failed, data, lines}) {
  const text = [`# ${title}`, '', failed ? `Failed: ${oneLine(failed)}` : 'Nothing was found that fails the run.', '', ...lines, ''].join('\n')
  keep(`${name}.json`, JSON.stringify({failed: failed ? oneLine(failed) : null, ...data}, null, 2) + '\n')
  keep(`${name}.md`, text)
  console.log(text)
  if (failed) fail(failed)
}

/** Runs the work of a script; what it throws fails the step in one line. */
export async function main(work) {
  try {
    await work()
  } catch (err) {
    if (!(err instanceof Failure)) console.error(err)
    fail(err?.message || String(err))
  }
}

/** Puts a file into the artifacts of the run; by hand, without any, it is left out. */
export function keep(name, text) {
  const dir = process.env.REDUND_ARTIFACTS
  if (dir) fs.writeFileSync(path.join(dir, name), text)
}

/** Hands an output on to other steps. */
export function output(key, value) {
  if (process.env.REDUND_OUTPUT) fs.appendFileSync(process.env.REDUND_OUTPUT, `${key}=${oneLine(String(value))}\n`)
}

function fail(why) {
  output('error', why)
  console.error(oneLine(why))
  process.exitCode = 1
}

export function oneLine(text) {
  const line = text.replace(/\s+/g, ' ').trim()
  return line.length > 500 ? line.slice(0, 499) + '…' : line
}

/** The words of a list as people write one into a parameter: by commas, spaces or lines. */
export const words = (text) => (text ?? '').split(/[\s,]+/).filter(Boolean)

/** A cell of a table in Markdown. */
export const cell = (value) => String(value ?? '').replace(/\s+/g, ' ').replaceAll('|', '\\|')

/** A table in Markdown, or the words for an empty one. */
export function table(head, rows, none = 'None.') {
  if (rows.length === 0) return [none]
  return [head, head.map(() => '---'), ...rows].map((r) => `| ${r.map(cell).join(' | ')} |`)
}

/** Reads a length of time as `90s`, `1h30m` or `7d`, in milliseconds. */
export function duration(text, name) {
  const units = {ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000}
  if (!/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(text ?? '')) throw new Failure(`${name}: "${text}" is no length of time: write one as 90s, 1h30m or 7d`)
  let sum = 0
  for (const [, n, , unit] of text.matchAll(/(\d+(\.\d+)?)(ms|s|m|h|d)/g)) sum += Number(n) * units[unit]
  return sum
}

/** Says a length of time in milliseconds, as people do. */
export function said(ms) {
  for (const [unit, size] of [['d', 86_400_000], ['h', 3_600_000], ['m', 60_000], ['s', 1000]]) {
    if (ms >= size) return `${Number((ms / size).toFixed(1))}${unit}`
  }
  return `${Math.round(ms)}ms`
}

/** Reads a whole number that is not negative. */
export function whole(text, name) {
  if (!/^\d+$/.test(text ?? '')) throw new Failure(`${name}: "${text}" is no whole number`)
  return Number(text)
}
