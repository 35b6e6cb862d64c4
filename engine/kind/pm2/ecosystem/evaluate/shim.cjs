'use strict';
// Loads the configuration that process.argv names and writes to descriptor 3 what
// it exports. What it does besides cannot get in between: the functions that are
// needed afterwards are kept from before it is loaded.
const fs = require('fs');
const path = require('path');
const { pathToFileURL } = require('url');
const file = process.argv[process.argv.length - 1];
const write = fs.writeSync;
const exit = process.reallyExit.bind(process);
const text = JSON.stringify;
const before = { ...process.env };
const most = { nodes: 50000, depth: 40, bytes: 4 << 20 };

function value(v, state, depth) {
  if (++state.nodes > most.nodes || depth > most.depth) throw new Error('what it describes is too large or too deep');
  switch (typeof v) {
    case 'string':
      state.bytes += v.length;
      if (state.bytes > most.bytes) throw new Error('what it describes is too large');
      return ['s', v];
    case 'number': return Number.isFinite(v) ? ['n', v] : ['x', String(v)];
    case 'boolean': return ['b', v];
    case 'undefined': return ['u'];
    case 'bigint': return ['s', String(v)];
    case 'function': return ['x', 'a function'];
    case 'symbol': return ['x', 'a symbol'];
  }
  if (v === null) return ['z'];
  if (state.seen.includes(v)) return ['x', 'a circle'];
  state.seen.push(v);
  try {
    if (v instanceof RegExp) return ['x', 'a regular expression'];
    if (v instanceof Date) return ['s', v.toISOString()];
    if (v instanceof String || v instanceof Number || v instanceof Boolean) return value(v.valueOf(), state, depth + 1);
    if (Array.isArray(v)) {
      if (v.length > most.nodes) throw new Error('what it describes is too large or too deep');
      return ['a', Array.from(v, (x) => value(x, state, depth + 1))];
    }
    return ['o', Object.keys(v).map((k) => {
      state.bytes += k.length;
      let x;
      try { x = v[k]; } catch { return [k, ['x', 'a getter that throws']]; }
      return [k, value(x, state, depth + 1)];
    })];
  } catch (e) {
    if (e && e.message && e.message.startsWith('what it describes')) throw e;
    return ['x', 'a value that throws'];
  } finally {
    state.seen.pop();
  }
}

function send(answer) {
  const bytes = Buffer.from(text(answer));
  for (let done = 0; done < bytes.length;) {
    try {
      done += write(3, bytes, done);
    } catch (e) {
      if (e.code !== 'EAGAIN') break;
    }
  }
  exit(0);
}

async function load() {
  process.chdir(path.dirname(file));
  let m;
  if (file.endsWith('.mjs')) {
    m = await import(pathToFileURL(file));
  } else {
    try {
      m = require(file);
    } catch (e) {
      if (!e || (e.code !== 'ERR_REQUIRE_ESM' && e.code !== 'ERR_REQUIRE_ASYNC_MODULE')) throw e;
      m = await import(pathToFileURL(file));
    }
  }
  m = await m;
  if (m && m.default !== undefined && (m.__esModule || m[Symbol.toStringTag] === 'Module')) m = await m.default;
  if (typeof m === 'function') m = await m();
  const env = {};
  for (const k of Object.keys(process.env)) if (process.env[k] !== before[k]) env[k] = process.env[k];
  return { value: value(m, { nodes: 0, bytes: 0, seen: [] }, 0), env };
}

const fail = (e) => {
  let name = 'Error', message = '', stack = '';
  try { name = String(e.name || name); message = String(e.message); stack = String(e.stack); } catch { /* a hostile error */ }
  send({ error: { name: name.slice(0, 100), message: message.slice(0, 1000), stack: stack.slice(0, 4000) } });
};
load().then(send, fail);
