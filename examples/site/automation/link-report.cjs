// Lists the links from page to page whose file is not there; exit code 1 if there is one.
'use strict';
const fs = require('fs');
const path = require('path');

const pages = path.join(__dirname, '../src/pages');
let broken = 0;
for (const name of fs.existsSync(pages) ? fs.readdirSync(pages) : []) {
  if (!name.endsWith('.md')) continue;
  const text = fs.readFileSync(path.join(pages, name), 'utf8');
  for (const [, link] of text.matchAll(/\]\(\/?([\w-]+)\.html[^)]*\)/g)) {
    if (['.md', '.html'].some((ext) => fs.existsSync(path.join(pages, link + ext)))) continue;
    console.log(`${name}: ${link}.html is not there`);
    broken++;
  }
}
console.log(`${broken} broken links`);
process.exitCode = broken > 0 ? 1 : 0;
