// A page as the list of its elements, which is enough to look at links and at
// what a page says of itself, and much faster than a DOM.

/** With parse5, gives what turns HTML into [{name, at: attributes, line, inside: name of the parent, text()}]. */
export function reader({parse}) {
  return (html) => {
    const elements = []
    const walk = (parent) => {
      for (const node of parent.childNodes ?? []) {
        if (node.tagName) {
          const at = Object.fromEntries(node.attrs.map((a) => [a.name, a.value]))
          elements.push({name: node.tagName, at, line: node.sourceCodeLocation?.startLine, inside: parent.tagName, text: () => text(node)})
        }
        walk(node)
      }
    }
    walk(parse(html, {sourceCodeLocationInfo: true}))
    return elements
  }
}

const text = (node) => (node.childNodes ?? []).map((n) => (n.nodeName === '#text' ? n.value : text(n))).join('')

/** Whether a space-separated attribute such as rel holds a word. */
export const has = (e, attribute, word) => (e.at[attribute] ?? '').toLowerCase().split(/\s+/).includes(word)

/** What `<meta name=…>` says, for each of that name. */
export const metas = (elements, name) => elements.filter((e) => e.name === 'meta' && e.at.name?.toLowerCase() === name).map((e) => e.at.content ?? '')

/** Whether the page asks not to be listed. */
export const noindex = (elements) => metas(elements, 'robots').some((c) => /noindex|none/i.test(c))

/** The first `<base href>`. */
export const base = (elements) => elements.find((e) => e.name === 'base' && 'href' in e.at)?.at.href
