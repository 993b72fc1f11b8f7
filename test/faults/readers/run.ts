/** Stopped readers in a busy room, beside members that read: what they cost the server, and what they cost the others. */
import { once } from 'node:events'
import { WebSocket } from 'ws'
import { answer, ask, start } from '../child.js'
import type { Command, Figures } from './server.js'

/** How large the experiment is. */
export interface Experiment {
  readonly readers: number
  /** Members that read. */
  readonly members: number
  /** Publications a second. */
  readonly rate: number
  /** Of each measured phase. */
  readonly seconds: number
  /** Bytes of a publication's payload. */
  readonly bytes: number
  /** `maxBuffered`. */
  readonly cap: number
}

/** What a member saw in one phase, in ms from publish to receipt. */
export interface Latency {
  readonly p50: number
  readonly p99: number
  readonly most: number
  readonly received: number
}

/** What came out. */
export interface Outcome {
  readonly before: Figures
  /** At the end, the readers' buffers full. */
  readonly after: Figures
  /** The most the server's RSS may be: that before, and the cap for each reader. */
  readonly rssBound: number
  readonly without: Latency
  readonly with: Latency
}

/** Runs it. `tell` is given a line for each step. */
export async function stoppedReaders(experiment: Experiment, tell: (line: string) => void): Promise<Outcome> {
  const { readers, members, rate, seconds, bytes, cap } = experiment
  const child = start(new URL('./server.ts', import.meta.url), String(cap))
  const tellServer = (command: Command): Promise<Figures> => ask(child, command)
  const sockets: WebSocket[] = []
  try {
    const { port, path } = await answer<{ port: number; path: string }>(child)
    const url = `ws://127.0.0.1:${port}/live`
    const latencies: number[] = []
    for (let i = 0; i < members; i++) sockets.push(await join(url, `m${i}`, latencies))

    const publish = async (forSeconds: number): Promise<Figures> => {
      latencies.length = 0
      return tellServer({ type: 'publish', rate, seconds: forSeconds, bytes })
    }
    tell(`${members} members read, ${rate} publications/s of ${bytes} bytes; warming up`)
    await publish(seconds)
    await publish(seconds)
    const without = summary(latencies)
    const before = await tellServer({ type: 'figures' })
    tell(`without stopped readers: p99 ${without.p99.toFixed(1)} ms, RSS ${mib(before.rss)}`)

    for (let i = 0; i < readers; i++) {
      const socket = await join(`ws+unix:${path}:/live`, `r${i}`, undefined)
      socket.pause()
      sockets.push(socket)
    }
    tell(`${readers} members joined and read no more; filling what the kernel holds for them`)
    let filled = await publish(1)
    for (let i = 0; i < 60 && filled.buffered < 0.9 * readers * cap; i++) {
      filled = await publish(1)
      tell(`held back for them: ${mib(filled.buffered)} of ${mib(readers * cap)}, RSS ${mib(filled.rss)}`)
    }
    const after = await publish(seconds)
    const latency = summary(latencies)
    tell(`with them: p99 ${latency.p99.toFixed(1)} ms, RSS ${mib(after.rss)}, dropped ${after.dropped}`)
    return { before, after, rssBound: before.rss + readers * cap, without, with: latency }
  } finally {
    for (const socket of sockets) socket.terminate()
    child.disconnect()
  }
}

// In the room when it resolves.
async function join(url: string, session: string, latencies: number[] | undefined): Promise<WebSocket> {
  const socket = new WebSocket(url, ['ackord.v1.json'], { perMessageDeflate: false })
  await once(socket, 'open')
  const joined = new Promise<void>((resolve, reject) => {
    socket.on('close', (code) => reject(new Error(`closed with ${code}`)))
    socket.on('message', (data) => {
      const [type, , , payload] = JSON.parse(String(data)) as [number, unknown, unknown, { at: number }]
      if (type === 22) resolve()
      else if (type === 23) latencies?.push(Number(process.hrtime.bigint()) / 1e6 - payload.at)
    })
  })
  socket.send(JSON.stringify([1, session, '', '1.0.0', []]))
  socket.send(JSON.stringify([6, 1, 'ticks', {}]))
  await joined
  return socket
}

function summary(latencies: readonly number[]): Latency {
  const sorted = latencies.toSorted((a, b) => a - b)
  const at = (share: number): number => sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN
  return { p50: at(0.5), p99: at(0.99), most: at(1), received: sorted.length }
}

/** Bytes for people. */
export const mib = (bytes: number): string => `${(bytes / 1_048_576).toFixed(0)} MiB`
