// Finds pages by a word, from the folder of their sources.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

export default {
  async fetch(request) {
    const word = (new URL(request.url).searchParams.get('q') ?? '').toLowerCase();
    if (word.length < 3) return Response.json({ message: 'a word has three letters or more' }, { status: 400 });
    const found = [];
    for (const entry of await readdir('src/pages', { recursive: true })) {
      if (!/\.(md|html)$/.test(entry)) continue;
      const text = await readFile(join('src/pages', entry), 'utf8');
      if (text.toLowerCase().includes(word)) found.push(entry);
    }
    return Response.json({ found: found.sort() });
  },
};
