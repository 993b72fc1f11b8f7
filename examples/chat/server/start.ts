/** Starts the example: `npm start` in the project's root. PORT, HOST, JWT_SECRET, LOG_LEVEL and TRUST_PROXY are optional. */
import { randomBytes } from 'node:crypto'
import closeWithGrace from 'close-with-grace'
import { buildApp } from './app.js'

const { PORT, HOST = 'localhost', JWT_SECRET, LOG_LEVEL = 'warn', TRUST_PROXY } = process.env
/** Without PORT: the first free one of these. */
const PORTS = PORT ? [Number(PORT)] : [3000, 3001, 3002, 3003, 3004, 3005]

const app = await buildApp({
  // A new secret with each start is fine: the page signs in again by itself when it reconnects.
  secret: JWT_SECRET ?? randomBytes(32).toString('hex'),
  page: new URL('../page/', import.meta.url),
  logLevel: LOG_LEVEL,
  // Behind examples/deploy/nginx.conf: 127.0.0.1.
  ...(TRUST_PROXY && { trustProxy: TRUST_PROXY }),
})

// On SIGTERM and Ctrl+C. `app.close()` ends all connections within ackord's `grace` (5 s); what the rest of the app may need on top is
// yours to say. Exit code 0; 1 where that time is over, at a second signal, and after an error that nobody caught.
closeWithGrace({ delay: 10_000, logger: app.log }, async ({ err, signal }) => {
  if (err) app.log.error(err)
  else app.log.info({ signal }, 'closing')
  await app.close()
})

const { port } = new URL(await listen(PORTS))
console.log(`\n  The chat is at http://${HOST}:${port}\n  Open it twice, under two names. Ctrl+C stops it.\n`)

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
