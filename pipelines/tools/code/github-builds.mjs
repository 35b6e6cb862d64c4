// How the last completed run of each workflow ended, by GitHub's REST API
// (docs.github.com/rest/actions/workflow-runs, version 2022-11-28).
import {Failure, duration, finish, main, said, table, words} from './outcome.mjs'
import {api} from './fetch.mjs'
import {run} from './program.mjs'

const {REPOSITORY, WORKFLOWS, BRANCH, API_URL, GITHUB_TOKEN, MAX_AGE, BUILD} = process.env
const good = ['success', 'neutral', 'skipped']

async function last(workflow) {
  const url = `${API_URL.replace(/\/$/, '')}/repos/${REPOSITORY}/actions/workflows/${encodeURIComponent(workflow)}/runs?per_page=100`
  const list = await api(url, {
    token: GITHUB_TOKEN,
    headers: {accept: 'application/vnd.github+json', 'x-github-api-version': '2022-11-28'},
    hint: 'set the params repository and workflows, and GITHUB_TOKEN with the permission Actions: read',
  })
  if (!Array.isArray(list.workflow_runs)) throw new Failure(`workflow ${workflow}: the API answered without workflow_runs`)
  // Filtered here: GitHub answers filtered lists from an index that lags.
  const runs = list.workflow_runs.filter((r) => r.status === 'completed' && r.head_branch === BRANCH)
  runs.sort((a, b) => Date.parse(b.created_at) - Date.parse(a.created_at))
  const r = runs[0]
  if (!r) return {workflow, run: null, conclusion: null, completed: null, age: null, url: null}
  return {workflow, run: r.id, conclusion: r.conclusion, completed: r.updated_at, age: Date.now() - Date.parse(r.updated_at), url: r.html_url, commit: r.head_sha}
}

main(async () => {
  const limit = duration(MAX_AGE, 'max-age')
  const names = words(WORKFLOWS)
  if (names.length === 0) throw new Failure('no workflow is named: name the ones that build with the param workflows')
  const builds = []
  for (const name of names) builds.push(await last(name))
  const findings = []
  for (const b of builds) {
    if (b.run === null) findings.push(`${b.workflow} has no completed run on ${BRANCH}`)
    else if (!good.includes(b.conclusion)) findings.push(`the last run of ${b.workflow} ended as ${b.conclusion}: ${b.url}`)
    else if (b.age > limit) findings.push(`the last run of ${b.workflow} is ${said(b.age)} old, more than ${MAX_AGE}: ${b.url}`)
  }
  let local = null
  if (BUILD === 'true') {
    const began = Date.now()
    const built = await run(['npm', 'run', 'build'], {hint: 'it comes with node'})
    local = {code: built.code, took: Date.now() - began}
    console.log(built.out + built.err)
    if (built.code !== 0) findings.push(`npm run build ended here with exit code ${built.code}: ${built.err.trim().split('\n').at(-1)}`)
  }
  finish({
    name: 'build-monitor',
    title: `Builds of ${REPOSITORY}`,
    failed: findings.join('; '),
    data: {repository: REPOSITORY, branch: BRANCH, builds: builds.map((b) => ({...b, age: undefined, 'age-ms': b.age})), local},
    lines: [
      ...table(['workflow', 'conclusion', 'age', 'run'], builds.map((b) => [b.workflow, b.conclusion ?? 'none', b.age === null ? '' : said(b.age), b.url])),
      ...(local ? ['', `\`npm run build\` on this machine: exit code ${local.code}, in ${said(local.took)}.`] : []),
    ],
  })
})
