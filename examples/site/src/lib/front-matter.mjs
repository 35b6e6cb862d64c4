// The lines `key: value` between two `---` at the beginning of a page.
export function frontMatter(text) {
  const found = /^---\r?\n([\s\S]*?)\r?\n---\r?\n/.exec(text)
  if (!found) return {meta: {}, body: text}
  const meta = {}
  for (const line of found[1].split(/\r?\n/)) {
    const at = line.indexOf(':')
    if (at > 0) meta[line.slice(0, at).trim()] = line.slice(at + 1).trim().replace(/^"(.*)"$/, '$1')
  }
  return {meta, body: text.slice(found[0].length)}
}
