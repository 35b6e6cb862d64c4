// A scheduled function that a platform runs, in four of its moods: it delivers its slot, it fails, it falls silent, and it
// comes when it is too late. It tells the engine that it began and is done, over the engine's socket: primary.mjs SOCKET.
import { request } from 'node:http'
import { appendFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'

const [socketPath] = process.argv.slice(2)
const period = 6000

function post(path, body) {
  return new Promise((done, failed) => {
    const r = request({ socketPath, path, method: 'POST', headers: { 'Content-Type': 'application/json' } }, (answer) => {
      let text = ''
      answer.on('data', (part) => { text += part })
      answer.on('end', () => (answer.statusCode === 200 ? done(JSON.parse(text)) : failed(new Error(`${answer.statusCode}: ${text}`))))
    })
    r.on('error', failed)
    r.end(body === undefined ? undefined : JSON.stringify(body))
  })
}

const beat = (state, rid) => post(`/api/v1/heartbeats/netlify-functions/digest?state=${state}&rid=${rid}`)
const say = (text) => console.log(`primary: ${text}`)
const send = (slot) => appendFileSync('sent.log', `the primary sends the digest of ${slot}\n`)

const moods = [
  async (slot) => {
    await beat('started', 'run-1')
    send(slot)
    await beat('succeeded', 'run-1')
    say(`delivers slot ${slot}`)
  },
  async (slot) => {
    await beat('started', 'run-2')
    await beat('failed', 'run-2')
    say(`fails with slot ${slot}`)
  },
  async (slot) => say(`is silent about slot ${slot}`),
  async (slot) => {
    await pause(4000)
    const answer = await post('/api/v1/claims/netlify-functions/digest', { slot, rid: 'run-4' })
    if (answer.granted) send(slot)
    say(`comes late for slot ${slot}, asks whether it still may, and ${answer.granted ? 'goes on' : `stands down: ${answer.why}`}`)
  },
]

for (const mood of moods) {
  const next = (Math.floor(Date.now() / period) + 1) * period
  await pause(next - Date.now() + 100)
  await mood(`${new Date(next).toISOString().slice(0, 19)}Z`)
}
