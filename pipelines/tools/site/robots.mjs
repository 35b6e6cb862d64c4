// robots.txt as RFC 9309 reads it, for the programs that the rules of `*` are for.
export function robots(text) {
  const groups = []
  const sitemaps = []
  let group
  let rules = true // whether the last line was a rule: a name after it begins a group
  for (const raw of text.split(/\r?\n/)) {
    const found = /^\s*([a-z-]+)\s*:\s*(.*?)\s*$/i.exec(raw.replace(/#.*/, ''))
    if (!found) continue
    const [key, value] = [found[1].toLowerCase(), found[2]]
    if (key === 'sitemap') sitemaps.push(value)
    else if (key === 'user-agent') {
      if (rules) groups.push((group = {agents: [], rules: []}))
      group.agents.push(value)
      rules = false
    } else if ((key === 'allow' || key === 'disallow') && group) {
      rules = true
      if (value) group.rules.push({allow: key === 'allow', value, pattern: pattern(value)})
    }
  }
  const all = groups.filter((g) => g.agents.includes('*')).flatMap((g) => g.rules)
  // The longest rule that fits holds; of equal ones the one that allows.
  const allowed = (path) => {
    const fit = all.filter((r) => r.pattern.test(path)).sort((a, b) => b.value.length - a.value.length || b.allow - a.allow)
    return fit[0]?.allow ?? true
  }
  return {allowed, sitemaps}
}

function pattern(value) {
  const end = value.endsWith('$')
  const text = (end ? value.slice(0, -1) : value).replace(/[.+?^${}()|[\]\\]/g, '\\$&').replace(/\*+/g, '.*')
  return new RegExp('^' + text + (end ? '$' : ''))
}
