/** Starts the example: `npm start` in the project's root. PORT, HOST, JWT_SECRET and LOG_LEVEL are optional. */
import { randomBytes } from 'node:crypto'
import closeWithGrace from 'close-with-grace'
import { buildApp } from './app.js'

const { PORT, HOST = 'localhost', JWT_SECRET, LOG_LEVEL = 'warn' } = process.env
/** Without PORT: the first free one of these. */
const PORTS = PORT ? [Number(PORT)] : [3000, 3001, 3002, 3003, 3004, 3005]

const app = await buildApp({
  // A new secret with each start is fine: the page signs in again by itself when it reconnects.
  secret: JWT_SECRET ?? randomBytes(32).toString('hex'),
  page: new URL('../page/', import.meta.url),
  logLevel: LOG_LEVEL,
})

closeWithGrace({ delay: 5000, logger: app.log }, async ({ err }) => {
  if (err) app.log.error(err)
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
