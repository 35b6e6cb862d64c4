// What of the project no pipeline backs up, or what its pipeline does not follow
// any more, by redundctl's own coverage and drift, with a draft of a pipeline for
// each that has none.
import {finish, keep, main, table, whole} from './outcome.mjs'
import {ask} from './edits.mjs'
import {redundctl, run} from './program.mjs'

const importers = {'github-actions': 'actions', pm2: 'pm2', 'netlify-functions': 'netlify'}

/** The files that `import` would write for a source. */
async function draft(primary) {
  const argv = redundctl('import', importers[primary.system], primary.source, '--dry-run')
  const {code, out, err} = await run(argv)
  return {command: argv.slice(1).join(' '), code, text: out, said: err.trim()}
}

main(async () => {
  const limit = whole(process.env.MAX_UNCOVERED, 'max-uncovered')
  const coverage = await ask('coverage')
  const drift = await ask('drift')
  const uncovered = coverage.primaries.filter((p) => p.status === 'uncovered')
  const id = (x) => (x.pipeline.includes('/') ? x.pipeline : `${x.system}/${x.pipeline}`)
  const changed = [...new Set([...drift, ...coverage.primaries.filter((p) => p.status === 'drifted')].map(id))]
  const drafts = []
  for (const source of new Set(uncovered.map((p) => `${p.system} ${p.source}`))) {
    const p = uncovered.find((u) => `${u.system} ${u.source}` === source)
    if (importers[p.system]) drafts.push({...p, ...(await draft(p))})
  }
  drafts.forEach((d, i) => keep(`draft-${i + 1}-${d.name.replace(/[^a-z0-9-]/gi, '-')}.txt`, d.text || d.said))
  const bad = uncovered.length + changed.length
  const names = [...uncovered.map((p) => `${p.system} ${p.name} (${p.source}) is uncovered`), ...changed.map((p) => `${p} has drifted`)]
  finish({
    name: 'auto-discovery',
    title: 'What is backed up',
    failed: bad > limit ? `${bad} primaries are uncovered or drifted, more than ${limit}: ${names.join('; ')}` : '',
    data: {percent: coverage.percent, primaries: coverage.primaries, drift, drafts: drafts.map((d) => ({primary: d.name, source: d.source, command: d.command, said: d.said}))},
    lines: [
      `${coverage.percent} % of ${coverage.primaries.length} primaries are covered.`,
      '', ...table(['system', 'primary', 'source', 'status', 'pipeline', 'note'], coverage.primaries.map((p) => [p.system, p.name, p.source, p.status, p.pipeline, p.note])),
      '', '## Drift', '', ...table(['pipeline', 'source', 'key', 'was', 'is', 'what would follow it'], drift.map((d) => [d.pipeline, d.source, d.key, d.was, d.is, d.hint])),
      ...drafts.flatMap((d) => ['', `## Draft for ${d.name}`, '', `\`redundctl ${d.command.replace(' --dry-run', '')}\` writes it.`, '', '```yaml', (d.text || d.said).trimEnd(), '```']),
    ],
  })
})
