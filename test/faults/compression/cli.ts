/**
 * `npm run compression -- [--connections 300] [--members 50] [--messages 400]`: what permessage-deflate costs the server, and what it saves, with
 * messages of 2,000 bytes of text. The last line is one JSON object.
 */
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { parseArgs } from 'node:util'
import { WebSocket } from 'ws'
import { answer, ask, start } from '../child.js'
import type { Answer, Question } from './server.js'

const { values } = parseArgs({
  options: {
    connections: { type: 'string', default: '300' },
    members: { type: 'string', default: '50' },
    messages: { type: 'string', default: '400' },
  },
})
const connections = Number(values.connections)
const members = Number(values.members)
const messages = Number(values.messages)

const MODES = {
  off: 'off',
  default: 'true',
  'zlib defaults': '{"level":6,"memLevel":8,"windowBits":15}',
}

/** Figures of one mode. */
interface Cost {
  /** KB of RSS for each connection before anything was compressed on it, and after one message each way. */
  readonly idleKb: number
  readonly usedKb: number
  /** CPU of all threads for each delivery, in µs. */
  readonly cpuMicros: number
  /** Bytes received for each delivery. */
  readonly bytes: number
}

async function measure(mode: string): Promise<Cost> {
  const child = start(new URL('./server.ts', import.meta.url), mode)
  const clients: Peer[] = []
  const tell = (question: Question): Promise<Answer> => ask(child, question)
  try {
    const { port } = await answer<{ port: number }>(child)
    const url = `ws://127.0.0.1:${port}/live`
    for (let i = 0; i < 20; i++) await (await connect(url, `w${i}`)).use()
    await tell({ type: 'publish', count: 10 })
    const { rss: empty } = await tell({ type: 'memory' })
    for (let i = 0; i < connections; i++) clients.push(await connect(url, `c${i}`))
    const { rss: idle } = await tell({ type: 'memory' })
    for (const client of clients) await client.use()
    const { rss: used } = await tell({ type: 'memory' })

    const room = clients.slice(0, members)
    for (const client of room) await client.join()
    await tell({ type: 'publish', count: 20 })
    const before = room.reduce((sum, { received }) => sum + received(), 0)
    const { cpu } = await tell({ type: 'publish', count: messages })
    await room.at(-1)?.use()
    const bytes = room.reduce((sum, { received }) => sum + received(), 0) - before
    const deliveries = members * messages
    return {
      idleKb: (idle - empty) / connections / 1024,
      usedKb: (used - empty) / connections / 1024,
      cpuMicros: cpu / deliveries,
      bytes: bytes / deliveries,
    }
  } finally {
    for (const client of clients) client.end()
    child.disconnect()
  }
}

type Peer = Awaited<ReturnType<typeof connect>>

async function connect(url: string, session: string) {
  const socket = new WebSocket(url, ['ackord.v1.json'], {
    perMessageDeflate: { threshold: 0, zlibDeflateOptions: { memLevel: 1 } },
  })
  let tcp: Socket | undefined
  socket.on('upgrade', (response) => {
    tcp = response.socket
  })
  await once(socket, 'open')
  const next = async (type: number): Promise<void> => {
    for (;;) {
      const [data] = await once(socket, 'message')
      if (String(data).startsWith(`[${type},`)) return
    }
  }
  let seq = 0
  const request = async (frame: readonly unknown[], type: number): Promise<void> => {
    socket.send(JSON.stringify(frame))
    await next(type)
  }
  await request([1, session, '', '1.0.0', []], 17)
  return {
    /** One message of 2,000 bytes each way. */
    use: () => request([2, ++seq, 'echo', { text: 'some text '.repeat(200) }], 18),
    join: () => request([6, ++seq, 'all', {}], 22),
    received: () => tcp?.bytesRead ?? 0,
    end: () => socket.terminate(),
  }
}

const round = (value: number): number => Math.round(value * 10) / 10
const costs: Record<string, Cost> = {}
for (const [name, mode] of Object.entries(MODES)) {
  const { idleKb, usedKb, cpuMicros, bytes } = await measure(mode)
  costs[name] = {
    idleKb: round(idleKb),
    usedKb: round(usedKb),
    cpuMicros: round(cpuMicros),
    bytes: round(bytes),
  }
  console.error(
    `${name.padEnd(14)} idle ${round(idleKb)} KB, used ${round(usedKb)} KB per connection; ${round(cpuMicros)} µs and ${round(bytes)} bytes per delivery`,
  )
}
console.log(JSON.stringify({ ok: true, connections, members, messages, costs }))
