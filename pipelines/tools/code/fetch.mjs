// One request over HTTP with a time limit; what goes wrong is told in one line
// that names whom it asked and never holds a token.
import {Failure, oneLine} from './outcome.mjs'

const most = 16 << 20

/** Gives {status, headers, text}, whatever the status. */
export async function get(url, {headers = {}, timeout = 30_000, redirect = 'follow'} = {}) {
  let address
  try {
    address = new URL(url)
    if (!/^https?:$/.test(address.protocol)) throw new Error('not http')
  } catch {
    throw new Failure(`"${url}" is no address: write one that begins with https:// or http://`)
  }
  const where = address.origin + address.pathname
  try {
    const res = await fetch(address, {headers: {'user-agent': 'redundctl', ...headers}, redirect, signal: AbortSignal.timeout(timeout)})
    const parts = []
    let size = 0
    for await (const part of res.body ?? []) {
      size += part.length
      if (size > most) throw new Error(`the answer is over ${most >> 20} MiB`)
      parts.push(part)
    }
    return {status: res.status, headers: res.headers, text: Buffer.concat(parts).toString(), url: res.url || address.href}
  } catch (err) {
    const why = err.name === 'TimeoutError' ? `no answer within ${timeout / 1000} s` : err.cause?.message || err.cause?.code || err.message
    throw new Failure(`${where}: ${why}`)
  }
}

/** Gives the JSON of an answer of 2xx; any other is a failure with what the server said. */
export async function api(url, {token, hint = '', ...options} = {}) {
  const headers = {accept: 'application/json', ...options.headers}
  if (token) headers.authorization = `Bearer ${token}`
  const res = await get(url, {...options, headers})
  let body
  try {
    body = JSON.parse(res.text)
  } catch {
    body = undefined
  }
  if (res.status < 200 || res.status > 299) {
    const said = body?.message ?? body?.error?.message ?? res.text.slice(0, 200)
    throw new Failure(`${new URL(url).origin}${new URL(url).pathname}: ${res.status} ${oneLine(String(said))}${hint && [401, 403, 404].includes(res.status) ? `: ${hint}` : ''}`)
  }
  if (body === undefined) throw new Failure(`${new URL(url).origin}${new URL(url).pathname}: the answer is not JSON`)
  return body
}
