// Reads what redundctl recorded (report, runs, next) and proposes edits: a grace
// that follows its primary where it was too short, retries where runs fail now
// and then, and jitter where more is due at once than may run at once.
import {duration, finish, keep, main, table, whole} from './outcome.mjs'
import {Proposal, ask, concurrency, written} from './edits.mjs'

const {SINCE, MIN_RUNS, APPLY} = process.env
const day = 86_400_000

/** Grace: late primaries are those that came after their backup had run. */
function grace(proposal, p, row) {
  const data = proposal.data(p.file)
  if (!data.primary || data.grace === 'auto' || (data.grace === undefined && data.primary['github-workflow'])) return
  const has = data.grace ?? '15m'
  const late = row?.['lateness-ms']?.max ?? 0
  if (!row?.['late-primaries'] || late <= duration(String(has), `${p.file}: grace`)) return
  proposal.top(p.file, 'grace', 'auto')
  proposal.note(p, 'grace', has, 'auto', `${row['late-primaries']} primaries came after their backup, the latest ${written(late)} after its slot`)
}

/** Retries help when most runs succeed and a run after a failed one does. */
function retries(proposal, p, runs, few) {
  const done = runs.filter((r) => r.pipeline === p.name && r.system === p.system && ['succeeded', 'failed', 'timed-out'].includes(r.state) && r.trigger !== 'drill')
  done.sort((a, b) => Date.parse(a.queued) - Date.parse(b.queued))
  const failed = done.filter((r) => r.state !== 'succeeded')
  const passing = failed.filter((r) => done[done.indexOf(r) + 1]?.state === 'succeeded')
  if (done.length < few || failed.length === 0) return null
  if (failed.length * 2 > done.length) return `${p.system}/${p.name}: ${failed.length} of ${done.length} runs failed: retries do not help, look at ${failed.at(-1).error ?? 'its log'}`
  const attempts = proposal.data(p.file).retry?.attempts ?? 1
  if (passing.length < 2 || attempts > 1) return null
  proposal.top(p.file, 'retry', '{attempts: 3, delay: 5s}')
  proposal.note(p, 'retry', 'none', '{attempts: 3, delay: 5s}', `${passing.length} of ${done.length} runs failed and the next one succeeded`)
  return null
}

/** Jitter moves the start and never the slot, so it is right beside a primary too. */
function spread(proposal, pipelines, slots, rows, parse) {
  const at = new Map()
  for (const s of slots) {
    const key = `${s.system} ${Date.parse(s.at)}`
    at.set(key, [...(at.get(key) ?? []), `${s.system}/${s.pipeline}`])
  }
  const done = new Set()
  for (const [key, names] of at) {
    const system = key.split(' ')[0]
    const most = concurrency(system, parse)
    if (names.length <= most) continue
    for (const name of names.slice(most)) {
      const p = pipelines.find((x) => `${x.system}/${x.name}` === name)
      if (!p || done.has(name)) continue
      done.add(name)
      const its = slots.filter((s) => `${s.system}/${s.pipeline}` === name).map((s) => Date.parse(s.at))
      const period = its.length > 1 ? Math.min(...its.slice(1).map((t, i) => t - its[i])) : day
      // As long as those before it take, but never near to the next slot.
      const ahead = names.slice(0, most).map((n) => rows.get(n)?.['duration-ms']?.p50 ?? 0)
      const jitter = Math.min(Math.max(30_000, ...ahead), period / 10)
      const list = [proposal.data(p.file).schedule].flat()
      list.forEach((s, i) => {
        if (!s || s.jitter !== undefined || !proposal.schedule(p.file, i, 'jitter', written(jitter))) return
        proposal.note(p, 'schedule.jitter', 'none', written(jitter), `${names.length} pipelines of ${system} are due at once and ${most} may run, first at ${new Date(Number(key.split(' ')[1])).toISOString()}`)
      })
    }
  }
}

main(async () => {
  const few = whole(MIN_RUNS, 'min-runs')
  const pipelines = await ask('list')
  const report = await ask('report', '--since', SINCE)
  const runs = await ask('runs', '--since', SINCE, '-n', '20000')
  const until = Date.now() + day
  const slots = (await ask('next', '-n', '20000')).filter((s) => Date.parse(s.at) <= until)
  const rows = new Map(report.systems.flatMap((s) => s.pipelines.map((p) => [`${s.name}/${p.name}`, p])))
  const proposal = await Proposal.begin()
  const parse = (text) => proposal.parseDocument(text).toJS()
  const troubled = []
  for (const p of pipelines.filter((x) => x.enabled)) {
    grace(proposal, p, rows.get(`${p.system}/${p.name}`))
    const trouble = retries(proposal, p, runs, few)
    if (trouble) troubled.push(trouble)
  }
  spread(proposal, pipelines, slots, rows, parse)
  const wrong = await proposal.trial(pipelines)
  keep('proposal.patch', proposal.patch())
  const apply = APPLY === 'true' && !wrong && proposal.notes.length > 0
  if (apply) await proposal.apply()
  const failed = wrong ? `the project with the proposal is not valid: ${wrong}` : ''
  finish({
    name: 'adaptive-orchestrator',
    title: 'What the record of the last runs suggests',
    failed,
    data: {since: report.since, until: report.until, proposal: proposal.notes, applied: apply, troubled},
    lines: [
      ...table(['pipeline', 'key', 'was', 'would be', 'because'], proposal.notes.map((n) => [n.pipeline, n.key, n.was, n.is, n.why]), 'There is nothing to propose.'),
      ...(proposal.notes.length ? ['', apply ? 'It was applied.' : '`git apply` takes proposal.patch; `--param apply=true` writes it.'] : []),
      ...(troubled.length ? ['', '## What no edit mends', '', ...troubled.map((t) => `- ${t}`)] : []),
    ],
  })
})
