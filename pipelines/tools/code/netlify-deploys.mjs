// How the production site at Netlify is: by the API's list of deploys
// (open-api.netlify.com, listSiteDeploys) where there is a token, and always by
// asking the site itself, which also tells which build it serves.
import {Failure, duration, finish, main, said, table} from './outcome.mjs'
import {api, get} from './fetch.mjs'
import {recall, remember} from './memory.mjs'

const {SITE_ID, SITE_URL, API_URL, NETLIFY_AUTH_TOKEN, BUILD_ID, MAX_AGE} = process.env

// States that end a deploy; the others are on their way to one of these.
const bad = ['error', 'rejected']

async function deploys() {
  const list = await api(`${API_URL.replace(/\/$/, '')}/sites/${encodeURIComponent(SITE_ID)}/deploys?per_page=50`, {
    token: NETLIFY_AUTH_TOKEN,
    hint: 'set the param site to the site\'s name or id, and NETLIFY_AUTH_TOKEN to a token that may read it',
  })
  if (!Array.isArray(list)) throw new Failure('Netlify\'s API answered without a list of deploys')
  const production = list.filter((d) => d.context === 'production')
  production.sort((a, b) => Date.parse(b.created_at) - Date.parse(a.created_at))
  const published = production.find((d) => d.state === 'ready' && d.published_at)
  const last = production.find((d) => d.state === 'ready' || bad.includes(d.state))
  return {last, published}
}

/** What a page says of its build: what the pattern finds, else the entity tag that Netlify makes of its content. */
function build(page) {
  let pattern
  try {
    pattern = new RegExp(BUILD_ID)
  } catch (err) {
    throw new Failure(`build-id: ${err.message}`)
  }
  const found = pattern.exec(page.text)
  return found ? (found.slice(1).find(Boolean) ?? found[0]) : page.headers.get('etag')
}

main(async () => {
  const limit = MAX_AGE ? duration(MAX_AGE, 'max-age') : Infinity
  const findings = []
  const data = {site: SITE_URL, deploy: null, published: null, status: null, build: null, 'build-since': null}
  const rows = []
  if (NETLIFY_AUTH_TOKEN) {
    const {last, published} = await deploys()
    const shape = (d) => d && {id: d.id, state: d.state, created: d.created_at, published: d.published_at ?? null, error: d.error_message ?? null, url: d.deploy_ssl_url ?? null}
    data.deploy = shape(last) ?? null
    data.published = shape(published) ?? null
    if (!last) findings.push('there is no finished production deploy')
    else if (bad.includes(last.state)) findings.push(`the last production deploy (${last.id}) failed: ${last.error_message || last.state}`)
    const age = published ? Date.now() - Date.parse(published.published_at) : null
    if (age > limit) findings.push(`the published deploy is ${said(age)} old, more than ${MAX_AGE}`)
    rows.push(['last deploy', last ? `${last.id} ${last.state} ${last.error_message ?? ''}` : 'none'])
    rows.push(['published', published ? `${published.id}, ${said(age)} ago` : 'none'])
  } else {
    rows.push(['deploys', 'not asked for: NETLIFY_AUTH_TOKEN is not set'])
  }
  try {
    const page = await get(SITE_URL)
    data.status = page.status
    if (page.status > 299) findings.push(`${SITE_URL} answers ${page.status}`)
    else {
      data.build = build(page)
      const before = recall('netlify-build', null)
      const same = before?.site === SITE_URL && before?.build === data.build
      data['build-since'] = same ? before.since : new Date().toISOString()
      remember('netlify-build', {site: SITE_URL, build: data.build, since: data['build-since']})
      const age = Date.now() - Date.parse(data['build-since'])
      if (!NETLIFY_AUTH_TOKEN && age > limit) findings.push(`${SITE_URL} serves the same build (${data.build ?? 'unknown'}) for ${said(age)}, more than ${MAX_AGE}`)
      rows.push(['build', `${data.build ?? 'not told'}, ${same ? 'unchanged' : 'new'} since ${data['build-since']}`])
    }
    rows.push(['answer', page.status])
  } catch (err) {
    if (!(err instanceof Failure)) throw err
    findings.push(`the site does not answer: ${err.message}`)
    rows.push(['answer', err.message])
  }
  finish({name: 'build-monitor', title: `Deploys of ${SITE_URL}`, failed: findings.join('; '), data, lines: table(['what', 'is'], rows)})
})
