// The state of the water; its schedule stands in netlify.toml.
import { water, Water } from './_lib/tide';

type Answer = { statusCode: number; headers?: Record<string, string>; body: string };

export const handler = async (event: { body: string | null }): Promise<Answer> => {
  const now = water(new Date());
  console.log(`the water is ${now}`);
  return {
    statusCode: 200,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ok: true, water: now, rowing: now !== Water.Low }),
  };
};
