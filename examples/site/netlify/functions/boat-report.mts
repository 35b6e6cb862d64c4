// Every day: which boats are due for inspection.
import { readFile } from 'node:fs/promises';
import type { Config, Context } from '@netlify/functions';

type Boat = { name: string; kind: string; inspected: string };

const every: string = '@daily';
const year = 365 * 24 * 3600_000;

export default async (request: Request, context: Context) => {
  const { next_run: next } = await request.json();
  const boats: Boat[] = JSON.parse(await readFile('automation/boats.json', 'utf8'));
  const due = boats.filter((b) => Date.now() - Date.parse(b.inspected) > year).map((b) => b.name);
  console.log(`${due.length} of ${boats.length} boats are due for inspection: ${due.join(', ') || 'none'}`);
  return context.json({ ok: true, due, next });
};

export const config: Config = { schedule: every };
