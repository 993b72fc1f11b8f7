/** Ports that nobody listens on. */
import { createServer } from 'node:net'

// Below those that the system hands out for outgoing connections, which could take one before it is listened on again.
const FIRST = 20_000
const COUNT = 12_000

/** A free port of 127.0.0.1. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * COUNT)
    if (await isFree(port)) return port
  }
}

function isFree(port: number): Promise<boolean> {
  const server = createServer()
  return new Promise((resolve) => {
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
