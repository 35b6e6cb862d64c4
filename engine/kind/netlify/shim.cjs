// Calls one function as Netlify does: the request comes on standard input, the
// result goes to descriptor 3, and the function has the rest to itself.
'use strict';
const fs = require('fs');
const path = require('path');
const Module = require('module');
const exit = process.exit.bind(process);
const q = JSON.parse(fs.readFileSync(0, 'utf8'));
const mark = q.mark; // nothing that the function writes to descriptor 3 begins so
delete q.mark;
let told = false;

// To a pipe node writes in its own time, and what it has not written when it ends is lost.
for (const stream of [process.stdout, process.stderr]) stream._handle?.setBlocking?.(true);

function tell(result) {
  if (told) return;
  told = true;
  const text = Buffer.from(mark + JSON.stringify(result));
  for (let done = 0; done < text.length;) {
    try {
      done += fs.writeSync(3, text, done);
    } catch (e) {
      if (e.code !== 'EAGAIN') break;
    }
  }
  exit(0);
}

function fail(phase, e) {
  let message = 'nothing was thrown but ' + String(e);
  let stack = '';
  try {
    if (e && typeof e === 'object' && 'message' in e) {
      message = (e.name || 'Error') + ': ' + e.message;
      stack = String(e.stack || '');
      console.error(stack || message);
    } else {
      message = String(e);
      console.error(message);
    }
  } catch { /* what was thrown cannot be shown */ }
  tell({ phase, message: message.slice(0, 4000), stack: stack.slice(0, 16000) });
}

process.on('uncaughtException', (e) => fail('uncaught', e));
process.on('unhandledRejection', (e) => fail('uncaught', e));

// The package is seldom installed where the function is not built.
const load = Module._load;
Module._load = function (name, ...rest) {
  try {
    return load.call(this, name, ...rest);
  } catch (e) {
    if (name !== '@netlify/functions' || e.code !== 'MODULE_NOT_FOUND') throw e;
    return { schedule: (_, f) => f, stream: (f) => f, builder: (f) => f };
  }
};

async function loaded() {
  if (q.mapped) process.setSourceMapsEnabled(true);
  if (!q.esm) {
    try {
      return require(q.file);
    } catch (e) {
      if (e.code !== 'ERR_REQUIRE_ESM' && e.code !== 'ERR_REQUIRE_ASYNC_MODULE') throw e;
    }
  }
  return import(require('url').pathToFileURL(q.file));
}

function found(m) {
  const list = [m, m && m.default, m && m.default && m.default.default];
  for (const x of list) if (x && typeof x.handler === 'function') return { version: 1, call: x.handler };
  for (const x of list.slice().reverse()) {
    if (typeof x === 'function') return { version: 2, call: x };
    if (x && typeof x.fetch === 'function') return { version: 2, call: x.fetch.bind(x) };
  }
  return null;
}

const multi = (pairs) => {
  const out = {};
  for (const [k, v] of pairs) (out[k] = out[k] || []).push(v);
  return out;
};

function v1(call) {
  const url = new URL(q.url);
  const pairs = [...url.searchParams];
  const event = {
    rawUrl: q.url, rawQuery: url.search.slice(1), path: url.pathname, httpMethod: q.method,
    headers: { ...q.headers }, multiValueHeaders: multi(Object.entries(q.headers)),
    queryStringParameters: Object.fromEntries(pairs), multiValueQueryStringParameters: multi(pairs),
    body: q.body === '' && q.kind !== 'schedule' ? null : q.body, isBase64Encoded: false,
  };
  const until = Date.now() + q.timeoutMs;
  return new Promise((resolve, reject) => {
    const callback = (e, v) => (e ? reject(e) : resolve(v));
    const context = {
      functionName: q.name, functionVersion: '$LATEST', memoryLimitInMB: '1024', awsRequestId: q.id,
      clientContext: {}, callbackWaitsForEmptyEventLoop: true, invokedFunctionArn: '', logGroupName: '', logStreamName: '',
      getRemainingTimeInMillis: () => Math.max(0, until - Date.now()),
      done: callback, succeed: resolve, fail: reject,
    };
    const v = call(event, context, callback);
    if (v && typeof v.then === 'function') v.then(resolve, reject);
    else if (call.length < 3) resolve(v); // else the callback answers, whatever was returned
  });
}

async function answerOf(v) {
  if (v === undefined || v === null) {
    if (q.kind === 'http') throw Object.assign(new Error('the handler returned no answer: return {statusCode, body}'), { contract: true });
    return { status: 204, headers: {}, body: Buffer.alloc(0) };
  }
  if (!Number.isInteger(v.statusCode) || v.statusCode < 100 || v.statusCode > 599) {
    if (q.kind === 'http') throw Object.assign(new Error('the answer has no statusCode from 100 to 599'), { contract: true });
    return { status: 200, headers: {}, body: Buffer.alloc(0) };
  }
  const headers = {};
  for (const [k, x] of Object.entries(v.headers || {})) headers[k.toLowerCase()] = String(x);
  for (const [k, x] of Object.entries(v.multiValueHeaders || {})) headers[k.toLowerCase()] = [].concat(x).join(', ');
  const body = v.body === undefined || v.body === null ? '' : v.body;
  if (typeof body.getReader === 'function') return { status: v.statusCode, headers, ...await read(v) };
  if (typeof body !== 'string') throw Object.assign(new Error('the body of the answer is not a string: use JSON.stringify'), { contract: true });
  return { status: v.statusCode, headers, body: Buffer.from(body, v.isBase64Encoded ? 'base64' : 'utf8') };
}

async function v2(call) {
  const waiting = [];
  const vars = process.env;
  globalThis.Netlify = {
    env: {
      get: (k) => vars[k], has: (k) => k in vars, set: (k, v) => { vars[k] = v; }, delete: (k) => { delete vars[k]; }, toObject: () => ({ ...vars }),
    },
  };
  const bare = q.method === 'GET' || q.method === 'HEAD';
  const request = new Request(q.url, { method: q.method, headers: q.headers, body: bare ? undefined : q.body });
  const jar = new Map((q.headers.cookie || '').split(';').filter(Boolean).map((c) => {
    const [k, ...rest] = c.trim().split('=');
    return [k, rest.join('=')];
  }));
  const url = new URL(q.url);
  const context = {
    account: { id: vars.ACCOUNT_ID || '' }, deploy: { context: vars.CONTEXT, id: vars.DEPLOY_ID || '0', published: true },
    site: { id: vars.SITE_ID, name: vars.SITE_NAME, url: vars.URL }, geo: {}, ip: '127.0.0.1', params: {}, requestId: q.id,
    server: { region: 'local' }, url, log: console.log, cookies: {
      get: (k) => jar.get(k), set: (k, v) => { typeof k === 'object' ? jar.set(k.name, k.value) : jar.set(k, v); }, delete: (k) => { jar.delete(typeof k === 'object' ? k.name : k); },
    },
    json: (v, init) => Response.json(v, init), next: async () => new Response(null, { status: 404 }),
    rewrite: async () => { throw new Error('context.rewrite has nothing to lead to on this machine'); },
    waitUntil: (p) => { waiting.push(p); },
  };
  const v = await call(request, context);
  if (v !== undefined && !(v instanceof Response)) throw Object.assign(new Error('the function returned neither a Response nor undefined'), { contract: true });
  const out = v === undefined ? { status: 204, headers: {}, body: Buffer.alloc(0) } : { status: v.status, headers: headersOf(v.headers), ...await read(v) };
  for (const r of await Promise.allSettled(waiting)) if (r.status === 'rejected') throw r.reason;
  return out;
}

// headersOf keeps every cookie: an object has one value a name.
function headersOf(h) {
  const out = Object.fromEntries(h);
  if (h.getSetCookie && out['set-cookie'] !== undefined) out['set-cookie'] = h.getSetCookie().join(', ');
  return out;
}

// read takes a body piece by piece and no more of it than is kept.
async function read(response) {
  const parts = [];
  let bytes = 0;
  if (response.body) {
    for await (const part of response.body) {
      const piece = Buffer.from(part);
      parts.push(piece);
      bytes += piece.length;
      if (bytes > q.maxBody) break;
    }
  }
  return { body: Buffer.concat(parts), bytes };
}

(async () => {
  let phase = 'load';
  try {
    if (parseInt(process.versions.node, 10) < 18) throw Object.assign(new Error('functions need node 18 or newer, and this is ' + process.versions.node), { contract: true });
    const f = found(await loaded());
    if (!f) throw Object.assign(new Error('there is neither a handler nor a default export'), { contract: true });
    phase = 'call';
    const out = f.version === 1 ? await answerOf(await v1(f.call)) : await v2(f.call);
    const kept = out.body.subarray(0, q.keep);
    tell({
      phase: 'done', version: f.version, status: out.status, headers: out.headers,
      body: kept.toString('base64'), bytes: out.bytes || out.body.length,
    });
  } catch (e) {
    fail(e && e.contract ? 'contract' : phase, e);
  }
})();
