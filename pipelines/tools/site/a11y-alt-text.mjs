// Runs axe-core over each built page, in jsdom: without a layout, so rules that
// measure (contrast of colours) say nothing, and the report says so.
import {tools} from '../install.mjs'
import {check, param, route, site} from './lib.mjs'

const impacts = ['minor', 'moderate', 'serious', 'critical']
const texts = ['image-alt', 'input-image-alt', 'area-alt', 'svg-img-alt', 'role-img-alt', 'object-alt']

await check('a11y-alt-text', async () => {
  const least = impacts.indexOf(param('IMPACT', 'serious'))
  if (least < 0) throw new Error(`impact is "${param('IMPACT')}": it is one of ${impacts.join(', ')}`)
  const {load} = await tools('site')
  const [{JSDOM, VirtualConsole}, {default: axe}] = [await load('jsdom'), await load('axe-core')]
  const built = await site()
  const findings = []
  const lesser = []
  const open = new Set()
  for (const page of built.pages) {
    const dom = new JSDOM(built.read(page), {runScripts: 'outside-only', pretendToBeVisual: true, includeNodeLocations: true, url: `https://site.invalid${route(page)}`, virtualConsole: new VirtualConsole()})
    dom.window.eval(axe.source)
    const result = await dom.window.axe.run(dom.window.document, {resultTypes: ['violations', 'incomplete'], rules: {'color-contrast': {enabled: false}}})
    for (const v of result.violations) {
      const heavy = texts.includes(v.id) || impacts.indexOf(v.impact) >= least
      for (const node of v.nodes) {
        // The target is a list where the element is in a shadow tree, which has no place in the file.
        const element = typeof node.target[0] === 'string' ? dom.window.document.querySelector(node.target[0]) : null
        const line = element ? dom.nodeLocation(element)?.startLine : undefined
        const found = {file: page, line, rule: v.id, impact: v.impact, message: `${v.help}: ${node.html.slice(0, 120)}`, help: v.helpUrl}
        ;(heavy ? findings : lesser).push(found)
      }
    }
    for (const v of result.incomplete) open.add(v.id)
    dom.window.close()
  }
  const notes = ['contrast of colours needs a browser and was not looked at']
  if (lesser.length) notes.push(`${lesser.length} of lesser impact than ${impacts[least]}: ${[...new Set(lesser.map((f) => f.rule))].join(', ')}`)
  if (open.size) notes.push(`what axe could not decide here: ${[...open].join(', ')}`)
  return {checked: `${built.pages.length} pages, by axe-core ${axe.version}`, findings, notes, data: {lesser}}
})
