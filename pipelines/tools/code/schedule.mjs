// Which slots of the last hour nobody decided, which of the next hours will
// collide, going by how long runs took, and what would keep them apart: another
// minute for a pipeline of its own, jitter for one that must stay at the time of
// its primary.
import fs from 'node:fs'
import {duration, finish, keep, main, said, table} from './outcome.mjs'
import {Proposal, ask, concurrency, written} from './edits.mjs'
import {redundctl, run} from './program.mjs'

const {HORIZON, LATE, APPLY} = process.env
const hour = 3_600_000
const slack = 60_000 // an engine that is up decides within seconds

/** What redundctl tells of a slot that has no run. */
async function story(name, slot) {
  const {code, out} = await run(redundctl('why', name, slot, '-o', 'json'))
  if (code !== 0) return 'nobody decided'
  return JSON.parse(out).decision ? 'decided' : 'open'
}

/** The slots of the last hour, each with what became of it. */
async function decided(pipelines, now) {
  const from = new Date(now - hour - 1000).toISOString().replace(/\.\d+Z$/, 'Z')
  const slots = (await ask('next', '-n', '20000', '--from', from)).filter((s) => Date.parse(s.at) >= now - hour && Date.parse(s.at) <= now - slack)
  const rows = await ask('runs', '--since', '2h', '-n', '100000')
  const have = new Set(rows.filter((r) => r.slot).map((r) => `${r.system}/${r.pipeline} ${Date.parse(r.slot)}`))
  const list = []
  const silent = new Set()
  for (const s of slots) {
    const name = `${s.system}/${s.pipeline}`
    const at = Date.parse(s.at)
    const slot = new Date(at).toISOString().replace(/\.\d+Z$/, 'Z')
    const p = pipelines.find((x) => `${x.system}/${x.name}` === name)
    let is = 'decided'
    if (!have.has(`${name} ${at}`)) {
      // One that came before the file was as it is now was no slot yet. Only beside a primary may a slot be open.
      if (p && fs.statSync(p.file).mtimeMs > at) is = 'before the file was changed'
      else is = p?.primary && !silent.has(name) ? await story(name, slot) : 'nobody decided'
      if (is === 'nobody decided') silent.add(name)
    }
    list.push({pipeline: name, slot, is})
  }
  return list
}

/** Lives through the slots: each run takes what runs took, and waits while its system is full. */
function live(slots, took, parse) {
  const waiting = new Map() // pipeline → {slots, longest, first}
  const running = new Map() // system → ends
  for (const s of slots) {
    const most = concurrency(s.system, parse)
    const ends = (running.get(s.system) ?? []).sort((a, b) => a - b)
    const at = s.start
    const free = ends.filter((e) => e > at)
    const start = free.length < most ? at : free[free.length - most]
    running.set(s.system, [...ends.filter((e) => e > at), start + (took.get(s.name) ?? 0)])
    if (start > at) {
      const w = waiting.get(s.name) ?? {slots: 0, longest: 0, first: at}
      waiting.set(s.name, {slots: w.slots + 1, longest: Math.max(w.longest, start - at), first: w.first})
    }
  }
  return waiting
}

/** The minute field moved by some minutes, or null where it cannot be. */
function moved(cron, by) {
  const fields = cron.trim().split(/\s+/)
  if (fields.length !== 5) return null
  const step = /^\*\/(\d+)$/.exec(fields[0])?.[1]
  if (step && by < Number(step) && 60 % Number(step) === 0) return [`${by}-59/${step}`, ...fields.slice(1)].join(' ')
  if (/^\d+$/.test(fields[0]) && Number(fields[0]) + by < 60) return [String(Number(fields[0]) + by), ...fields.slice(1)].join(' ')
  return null
}

/** Looks for the least move that lets a pipeline wait for nobody, and proposes it. */
function propose(proposal, p, slots, took, parse) {
  const waits = live(slots, took, parse).get(`${p.system}/${p.name}`)
  if (!waits) return
  const why = `it would wait for up to ${said(waits.longest)}, first at ${new Date(waits.first).toISOString()}`
  const list = [proposal.data(p.file).schedule].flat()
  if (list.length !== 1 || !list[0]) return
  const {cron, jitter} = list[0]
  for (let by = 1; !p.primary && cron && by < 30; by++) {
    const next = moved(cron, by)
    if (!next) continue
    const trial = slots.map((s) => (s.name === `${p.system}/${p.name}` ? {...s, start: s.start + by * 60_000} : s)).sort((a, b) => a.start - b.start)
    if (live(trial, took, parse).has(`${p.system}/${p.name}`)) continue
    if (!proposal.schedule(p.file, 0, 'cron', `"${next}"`)) return
    proposal.note(p, 'schedule.cron', cron, next, why)
    slots.splice(0, slots.length, ...trial)
    return
  }
  if (jitter === undefined && proposal.schedule(p.file, 0, 'jitter', written(waits.longest))) proposal.note(p, 'schedule.jitter', 'none', written(waits.longest), why)
}

main(async () => {
  const now = Date.now()
  const horizon = duration(HORIZON, 'horizon')
  const bar = duration(LATE, 'late')
  const pipelines = await ask('list')
  const past = await decided(pipelines, now)
  const report = await ask('report', '--since', '7d')
  const took = new Map(report.systems.flatMap((s) => s.pipelines.filter((p) => p['duration-ms'].p50 !== null).map((p) => [`${s.name}/${p.name}`, p['duration-ms'].p50])))
  const coming = (await ask('next', '-n', '20000')).filter((s) => Date.parse(s.at) <= now + horizon)
  const slots = coming.map((s) => ({name: `${s.system}/${s.pipeline}`, system: s.system, start: Date.parse(s.at)})).sort((a, b) => a.start - b.start)
  const proposal = await Proposal.begin()
  const parse = (text) => proposal.parseDocument(text).toJS()
  const collisions = [...live(slots, took, parse)].map(([name, w]) => ({pipeline: name, slots: w.slots, 'longest-ms': w.longest, first: new Date(w.first).toISOString()}))
  for (const p of pipelines.filter((x) => x.enabled)) propose(proposal, p, slots, took, parse)
  const runs = await ask('runs', '--since', '24h', '-n', '20000')
  const late = runs
    .filter((r) => r.trigger === 'schedule' && r.started && Date.parse(r.started) - Date.parse(r.slot) > bar)
    .map((r) => ({run: r.id, pipeline: `${r.system}/${r.pipeline}`, slot: r.slot, 'late-ms': Date.parse(r.started) - Date.parse(r.slot)}))
  const wrong = await proposal.trial(pipelines)
  keep('proposal.patch', proposal.patch())
  const apply = APPLY === 'true' && !wrong && proposal.notes.length > 0
  if (apply) await proposal.apply()
  const missed = past.filter((s) => s.is === 'nobody decided')
  const findings = []
  if (missed.length) findings.push(`${missed.length} slots of the last hour have no decision, as ${missed[0].slot} of ${missed[0].pipeline}: is an engine running?`)
  if (wrong) findings.push(`the project with the proposal is not valid: ${wrong}`)
  finish({
    name: 'auto-scheduler',
    title: 'Slots of the last hour and of the next ones',
    failed: findings.join('; '),
    data: {slots: past, collisions, late, unknown: [...new Set(slots.map((s) => s.name))].filter((n) => !took.has(n)), proposal: proposal.notes, applied: apply},
    lines: [
      `${past.length} slots came in the last hour: ${past.filter((s) => s.is === 'decided').length} are decided, ${past.filter((s) => s.is === 'open').length} wait for their primary.`,
      '', ...table(['pipeline', 'slot', 'is'], past.filter((s) => !['decided', 'open'].includes(s.is)).slice(0, 50).map((s) => [s.pipeline, s.slot, s.is])),
      '', `## Would wait in the next ${HORIZON}`, '', ...table(['pipeline', 'slots', 'longest wait', 'first'], collisions.map((c) => [c.pipeline, c.slots, said(c['longest-ms']), c.first])),
      '', `## Began more than ${LATE} late in the last 24 h`, '', ...table(['run', 'pipeline', 'slot', 'late'], late.map((l) => [l.run, l.pipeline, l.slot, said(l['late-ms'])])),
      '', '## Proposal', '', ...table(['pipeline', 'key', 'was', 'would be', 'because'], proposal.notes.map((n) => [n.pipeline, n.key, n.was, n.is, n.why]), 'There is nothing to propose.'),
      ...(proposal.notes.length ? ['', apply ? 'It was applied.' : '`git apply` takes proposal.patch; `--param apply=true` writes it.'] : []),
    ],
  })
})
