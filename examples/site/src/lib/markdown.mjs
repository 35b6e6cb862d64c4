// As much Markdown as the club writes: headings (with ids), paragraphs, lists,
// links, images, emphasis, code, and blocks of HTML, which are left as they are.

export function escape(text) {
  return text.replace(/[&<>"]/g, (c) => ({'&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;'})[c])
}

/** The id of a heading: its words in lower case, joined by hyphens. */
export function slug(text) {
  return text.toLowerCase().normalize('NFD').replace(/[^a-z0-9 -]/g, '').trim().replace(/ +/g, '-')
}

function inline(text) {
  return escape(text)
    .replace(/`([^`]+)`/g, '<code>$1</code>')
    .replace(/!\[([^\]]*)\]\(([^)\s]+)\)/g, '<img src="$2" alt="$1">')
    .replace(/\[([^\]]+)\]\(([^)\s]+)\)/g, '<a href="$2">$1</a>')
    .replace(/\*\*([^*]+)\*\*/g, '<strong>$1</strong>')
    .replace(/\*([^*]+)\*/g, '<em>$1</em>')
}

function block(text) {
  const heading = /^(#{1,6}) (.+)$/.exec(text)
  if (heading) {
    const level = heading[1].length
    return `<h${level} id="${slug(heading[2])}">${inline(heading[2])}</h${level}>`
  }
  if (text.startsWith('<')) return text
  const lines = text.split('\n')
  if (lines.every((l) => /^(- |  )/.test(l))) {
    const items = text.split(/^- /m).filter(Boolean).map((i) => i.replace(/\s+/g, ' ').trim())
    return `<ul>\n${items.map((i) => `<li>${inline(i)}</li>`).join('\n')}\n</ul>`
  }
  return `<p>${inline(lines.join(' '))}</p>`
}

export function markdown(text) {
  return text.split(/\n{2,}/).map((b) => b.trim()).filter(Boolean).map(block).join('\n')
}
