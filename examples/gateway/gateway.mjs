// Sends a gateway's datapoints to EdgePulse and loses none of them, whatever ends in between: the network, the
// service, this program. Node 20 or newer, no packages; README.md beside it tells how to use it.
import { createHash } from 'node:crypto'
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { gunzipSync, gzipSync } from 'node:zlib'

const { EDGEPULSE_URL = 'http://127.0.0.1:8787', EDGEPULSE_KEY = '', GATEWAY = 'gateway-1' } = process.env
const { SPOOL = 'spool', SPOOL_MAX_BYTES = 256 * 1024 * 1024 } = process.env
const REJECTED = `${SPOOL}/rejected`
const HEADERS = { 'x-api-key': EDGEPULSE_KEY, 'content-type': 'application/json', 'content-encoding': 'gzip' }
const [FIRST_BACKOFF_MS, MAX_BACKOFF_MS, ANSWER_WITHIN_MS, MAX_REJECTED] = [500, 60_000, 60_000, 1000]

// The batches on disk, oldest first: id → bytes.
const spooled = new Map()
let [inputEnded, wake] = [false, () => {}]
const fileOf = (id) => `${SPOOL}/${id}.json.gz`
const tell = (text) => console.error(`${new Date().toISOString()} ${text}`)

async function openSpool() {
  await mkdir(REJECTED, { recursive: true })
  const found = []
  for (const name of await readdir(SPOOL)) {
    const { size, mtimeMs } = await stat(`${SPOOL}/${name}`)
    if (name.endsWith('.tmp')) await rm(`${SPOOL}/${name}`) // cut short, and nobody was told that it is safe
    if (name.endsWith('.json.gz')) found.push({ id: name.slice(0, -'.json.gz'.length), size, mtimeMs })
  }
  for (const { id, size } of found.sort((a, b) => a.mtimeMs - b.mtimeMs)) spooled.set(id, size)
}

// Makes the datapoints a batch on disk and returns its id: from then on they are safe. The id is made from the
// content, so datapoints that are put twice, as after a crash before the id was heard, are still one batch.
async function put(datapoints) {
  const content = JSON.stringify(datapoints)
  const id = `${GATEWAY}-${createHash('sha256').update(content).digest('hex').slice(0, 32)}`
  const body = gzipSync(`{"batch_id":"${id}","source":"${GATEWAY}","datapoints":${content}}`)
  await writeFile(`${fileOf(id)}.tmp`, body, { flush: true })
  await rename(`${fileOf(id)}.tmp`, fileOf(id))
  const folder = await open(SPOOL)
  await folder.sync() // its new name is on disk as well
  await folder.close()
  spooled.set(id, body.length)
  await dropOldest(id)
  wake()
  return id
}

async function forget(id) {
  spooled.delete(id)
  await rm(fileOf(id), { force: true })
}

// A full spool drops its oldest batches, as the newest are worth most. It is the only loss, and it is told.
async function dropOldest(newest) {
  let bytes = [...spooled.values()].reduce((sum, size) => sum + size, 0)
  for (const [id, size] of spooled) {
    if (bytes <= SPOOL_MAX_BYTES || id === newest) return
    tell(`the spool is full: dropped ${id}`)
    bytes -= size
    await forget(id)
  }
}

// Posts one batch; without an answer the status is 0.
async function post(body) {
  const signal = AbortSignal.timeout(ANSWER_WITHIN_MS)
  const request = { method: 'POST', headers: HEADERS, body, redirect: 'manual', signal }
  try {
    const response = await fetch(`${EDGEPULSE_URL}/v1/ingest`, request)
    const retryAfterMs = Number(response.headers.get('retry-after')) * 1000 || 0
    return { status: response.status, retryAfterMs, answer: await response.json().catch(() => ({})) }
  } catch (error) {
    return { status: 0, retryAfterMs: 0, answer: { detail: error.cause?.code ?? error.message } }
  }
}

// What an answer asks for.
function verdict(id, { status, answer }) {
  // A success that does not name the batch is somebody else's, such as the login page of a network.
  if (status === 200 || status === 202) return answer.batch_id === id ? 'done' : 'again'
  if (status === 413) return 'split'
  if ((status === 400 || status === 409) && answer.code) return 'aside' // it will never be taken as it is
  if (status === 0 || status === 408 || status === 429 || status >= 500) return 'again'
  return 'stop' // key, scope, address: the operator mends it, and then every batch is as good as before
}

async function setAside(id, answer) {
  tell(`set aside ${id}: ${answer.code} ${answer.detail}`)
  const file = `${REJECTED}/${Date.now()}-${id}`
  await writeFile(`${file}.problem.json`, JSON.stringify(answer, null, 2))
  await rename(fileOf(id), `${file}.json.gz`).catch(() => {}) // it was dropped just now
  await forget(id)
  for (const old of (await readdir(REJECTED)).sort().slice(0, -MAX_REJECTED)) await rm(`${REJECTED}/${old}`)
}

async function split(id, body, answer) {
  const { datapoints } = JSON.parse(gunzipSync(body))
  if (datapoints.length < 2) return setAside(id, answer)
  await put(datapoints.slice(0, datapoints.length >> 1)) // killed in between, it is split again into the same
  await put(datapoints.slice(datapoints.length >> 1))
  await forget(id)
}

// Longer with every failure, never before Retry-After, not in step with other gateways.
async function backOff(failures, { status, retryAfterMs, answer }) {
  const waitMs = retryAfterMs + Math.random() * Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** failures)
  tell(`${status || 'no answer'}, ${answer.detail ?? 'not from EdgePulse'}: again in ${waitMs.toFixed()} ms`)
  await sleep(waitMs)
}

// Sends the oldest batch, until there is none and the input has ended.
async function sendAll() {
  for (let failures = 0; ; ) {
    const [id] = spooled.keys()
    if (id !== undefined) failures = (await send(id, failures)) ? 0 : failures + 1
    else if (inputEnded) return
    else await new Promise((resolve) => (wake = resolve))
  }
}

// Whether the batch is dealt with.
async function send(id, failures) {
  const body = await readFile(fileOf(id)).catch(() => undefined)
  if (body === undefined) return !(await forget(id)) // it was dropped just now
  const result = await post(body)
  const { answer } = result
  const next = verdict(id, result)
  if (next === 'stop') throw new Error(`${result.status} ${answer.detail ?? 'is no answer of EdgePulse'}`)
  if (next === 'aside') await setAside(id, answer)
  if (next === 'split') await split(id, body, answer)
  if (next === 'again') await backOff(failures, result)
  if (next === 'done' && answer.rejected > 0) tell(`${id}: not stored: ${JSON.stringify(answer.errors)}`)
  if (next === 'done') await forget(id)
  return next !== 'again'
}

// Each line of the input is a JSON array of datapoints; its answer is the id under which they are safe.
async function takeInput() {
  for await (const line of createInterface({ input: process.stdin })) console.log(await put(JSON.parse(line)))
  inputEnded = true
  wake()
}

await openSpool()
await Promise.all([takeInput(), sendAll()]).catch((error) => {
  tell(`stopped: ${error.message}; the spool keeps ${spooled.size} batches`)
  process.exit(1)
})
