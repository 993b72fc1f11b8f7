/**
 * `npm run start:cluster` in the project's root: the chat on two nodes, and a Redis between them: of its own, or the one at REDIS_URL. A node that
 * ends by itself is started again at its address. SIGTERM and Ctrl+C end all of it.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { type LocalRedis, NoRedis, startRedis } from './redis.js'

/** A node that lives for less, in milliseconds, is not started again. */
const SHORT = 3000

const start = fileURLToPath(new URL('./start.js', import.meta.url))
const secret = process.env.JWT_SECRET ?? randomBytes(32).toString('hex')
const nodes = new Set<ChildProcess>()
let redis: LocalRedis | undefined
let stopping = false

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void stop(0))
try {
  redis = process.env.REDIS_URL ? undefined : await startRedis(() => void stop(1))
  // One after the other: each takes the next port that is free.
  const urls = [await startNode(1), await startNode(2)]
  console.log(`
  The chat is at ${urls[0]}
             and ${urls[1]}
  Two nodes, one Redis${redis ? '' : ` (${process.env.REDIS_URL})`}. Open one of them each, under two names. Ctrl+C stops all of it.
`)
} catch (error) {
  if (!stopping) console.error(error instanceof NoRedis ? error.message : error)
  await stop(1)
}

/** Starts a node and gives its address; rejects where it ends before it has one. */
async function startNode(number: number, at?: string): Promise<string> {
  const { PORT } = process.env
  const port = at ? new URL(at).port : PORT && String(Number(PORT) && Number(PORT) + number - 1)
  const env = { ...process.env, JWT_SECRET: secret, REDIS_URL: redis?.path ?? process.env.REDIS_URL }
  const startedAt = performance.now()
  const node = fork(start, { env: { ...env, ...(port && { PORT: port }) } })
  nodes.add(node)
  const gone = once(node, 'exit')
  const url = await Promise.race([
    once(node, 'message').then(([{ url }]) => String(url)),
    gone.then(() => ''),
  ])
  void gone.then(([code, signal]) => {
    nodes.delete(node)
    if (stopping || url === '') return
    console.error(`  Node ${number} ended (${signal ?? code}).`)
    if (performance.now() - startedAt < SHORT) return stop(1)
    return startNode(number, url).then(
      () => console.error(`  Node ${number} is back at ${url}.`),
      () => stop(1),
    )
  })
  if (url === '') throw new Error(`Node ${number} did not start.`)
  return url
}

/** Ends the nodes, then Redis: they still say goodbye through it. Again: ends them at once. */
async function stop(code: number): Promise<void> {
  process.exitCode = code || process.exitCode || 0
  for (const node of nodes) node.kill(stopping ? 'SIGKILL' : 'SIGTERM')
  if (stopping) return
  stopping = true
  await Promise.all([...nodes].map((node) => once(node, 'exit')))
  await redis?.stop()
}
