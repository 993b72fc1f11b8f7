/**
 * Starts one node of the example: `npm start` in the project's root. PORT, HOST, JWT_SECRET, LOG_LEVEL, TRUST_PROXY and REDIS_URL are optional;
 * with REDIS_URL it is one of many.
 */
import { randomBytes } from 'node:crypto'
import closeWithGrace from 'close-with-grace'
import { Redis } from 'ioredis'
import { buildApp } from './app.js'

const { PORT, HOST = 'localhost', JWT_SECRET, LOG_LEVEL = 'warn', TRUST_PROXY, REDIS_URL } = process.env
/** Without PORT: the first free one of these. */
const PORTS = PORT ? [Number(PORT)] : [3000, 3001, 3002, 3003, 3004, 3005]

// What Redis has not answered when it goes away is not sent again: it may have been done.
const redis = REDIS_URL ? new Redis(REDIS_URL, { autoResendUnfulfilledCommands: false }) : undefined
const app = await buildApp({
  // A new secret with each start is fine: the page signs in again by itself when it reconnects.
  secret: JWT_SECRET ?? randomBytes(32).toString('hex'),
  page: new URL('../page/', import.meta.url),
  logLevel: LOG_LEVEL,
  // Behind examples/deploy/nginx.conf: 127.0.0.1.
  ...(TRUST_PROXY && { trustProxy: TRUST_PROXY }),
  ...(redis && { redis }),
})
redis?.on('error', (error) => app.log.debug(error, 'redis'))

// On SIGTERM and Ctrl+C. `app.close()` ends all connections within ackord's `grace` (5 s); what the rest of the app may need on top is
// yours to say. Exit code 0; 1 where that time is over, at a second signal, and after an error that nobody caught.
const closing = closeWithGrace({ delay: 10_000, logger: app.log }, async ({ err, signal }) => {
  if (err) app.log.error(err)
  else app.log.info({ signal }, 'closing')
  await app.close()
  redis?.disconnect()
})

const { port } = new URL(await listen(PORTS))
const url = `http://${HOST}:${port}`
if (process.send) {
  // One of the nodes of cluster.ts, which says where all of them are, and without which it ends.
  process.once('disconnect', closing.close)
  process.send({ url })
} else {
  console.log(`\n  The chat is at ${url}\n  Open it twice, under two names. Ctrl+C stops it.\n`)
}

/** Listens on the first free port and gives its address; rejects as Fastify does when none is free. */
async function listen([port, ...others]: readonly number[]): Promise<string> {
  try {
    return await app.listen({ port: port ?? 0, host: HOST })
  } catch (error) {
    if (!isTaken(error) || others.length === 0) throw error
    return listen(others)
  }
}

function isTaken(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EADDRINUSE'
}
