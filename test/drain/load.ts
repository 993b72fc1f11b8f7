/** Peers of every kind at one server: those that call, join and stream, and those that do nothing they should. */
import { connect, type Socket } from 'node:net'
import { WebSocket } from 'ws'
import { upgradeRequest } from '../support/raw-bytes.js'
import { contract } from './contract.js'

/** What bears on a server, how many of each. */
export interface Mix {
  /** Call one after the other; half of them know GOAWAY, stay, and dial again and again. */
  readonly callers: number
  /** Wait for a handler that never ends. */
  readonly endless: number
  /** Read a stream without end. */
  readonly streams: number
  /** In a room, and do not read. */
  readonly stopped: number
  /** Send calls without reading their answers. */
  readonly floods: number
  /** TCP connections with nothing, half a head, or half an upgrade. */
  readonly halfOpen: number
  /** Upgrades, and HELLOs, whose token is not verified in time. */
  readonly slowTokens: number
  /** Say nothing after the 101. */
  readonly silent: number
}

/** Puts it on; resolves when all is under way. The result takes it off. */
export async function putLoad(url: string, mix: Mix): Promise<() => void> {
  const load = new Load(url)
  const make = (count: number, one: (n: number) => Promise<void>): Array<Promise<void>> =>
    Array.from({ length: count }, (_, n) => one(n))
  await Promise.all([
    ...make(mix.callers, (n) => load.caller(n % 2 === 0)),
    ...make(mix.endless, () => load.endless()),
    ...make(mix.streams, () => load.stream()),
    ...make(mix.stopped, () => load.stopped()),
    ...make(mix.floods, () => load.flood()),
    ...make(mix.halfOpen, (n) => load.halfOpen(n)),
    ...make(mix.slowTokens, (n) => load.slowToken(n % 2 === 0)),
    ...make(mix.silent, () => load.silent()),
  ])
  return () => load.stop()
}

class Load {
  readonly #url: string
  readonly #ends = new Set<() => void>()
  #sessions = 0
  #isOver = false

  constructor(url: string) {
    this.#url = url
  }

  stop(): void {
    this.#isOver = true
    for (const end of this.#ends) end()
  }

  async caller(knowsGoaway: boolean): Promise<void> {
    const socket = await this.#enter(knowsGoaway ? ['goaway'] : [])
    let seq = 1
    const next = (): void => send(socket, [2, ++seq, 'attempt', { id: `${seq}`, ms: seq % 20 }])
    socket.on('message', (data) => {
      const [type] = JSON.parse(String(data))
      if (type === 18 || type === 19) next()
      if (type === 26) send(socket, [10])
      if (type === 28) void this.#dialAgain()
    })
    send(socket, [6, 1, 'hall', {}])
    next()
  }

  async endless(): Promise<void> {
    const socket = await this.#enter()
    send(socket, [2, 1, 'attempt', { id: 'endless', ms: -1 }])
  }

  async stream(): Promise<void> {
    const socket = await this.#enter()
    send(socket, [2, 1, 'count', { id: 'stream', items: 1_000_000, ms: 5 }])
    send(socket, [4, 1, 60_000])
  }

  async stopped(): Promise<void> {
    const socket = await this.#enter(['goaway'])
    send(socket, [6, 1, 'hall', {}])
    socket.pause()
  }

  async flood(): Promise<void> {
    const socket = await this.#enter()
    let seq = 0
    const burst = (): void => {
      if (this.#isOver || socket.readyState !== WebSocket.OPEN) return
      for (let n = 0; n < 100; n++) send(socket, [2, ++seq, 'attempt', { id: 'flood', ms: 5 }])
      setTimeout(burst, socket.bufferedAmount > 1_000_000 ? 20 : 1)
    }
    burst()
  }

  async halfOpen(n: number): Promise<void> {
    const head = upgradeRequest(this.#url)
    await this.#bytes(['', head.slice(0, 20), head.slice(0, -2)][n % 3] ?? '')
  }

  async slowToken(inUpgrade: boolean): Promise<void> {
    if (inUpgrade) await this.#bytes(upgradeRequest(this.#url, { authorization: 'Bearer slow' }))
    else send(await this.#open(), hello(`slow${++this.#sessions}`, [], 'slow'))
  }

  async silent(): Promise<void> {
    await this.#open()
  }

  async #dialAgain(): Promise<void> {
    while (!this.#isOver) {
      await this.#open().catch(() => undefined)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }

  async #enter(features: readonly string[] = []): Promise<WebSocket> {
    const socket = await this.#open()
    const welcome = new Promise<void>((resolve, reject) => {
      socket.once('message', () => resolve())
      socket.once('close', (code) => reject(new Error(`no WELCOME: ${code}`)))
    })
    send(socket, hello(`s${++this.#sessions}`, features, `user${this.#sessions % 10}`))
    await welcome
    return socket
  }

  async #open(): Promise<WebSocket> {
    const socket = new WebSocket(this.#url, ['ackord.v1.json'], { perMessageDeflate: false })
    const end = (): void => socket.terminate()
    this.#ends.add(end)
    socket.once('close', () => this.#ends.delete(end))
    await new Promise<void>((resolve, reject) => {
      socket.once('open', resolve)
      socket.on('error', reject)
    })
    return socket
  }

  async #bytes(bytes: string): Promise<void> {
    const { hostname, port } = new URL(this.#url)
    const socket: Socket = connect({ host: hostname, port: Number(port) })
    this.#ends.add(() => socket.destroy())
    // It does not read, and a reset is how it is meant to end.
    socket.on('error', () => {})
    await new Promise<void>((resolve) => socket.once('connect', resolve))
    socket.write(bytes)
  }
}

const hello = (session: string, features: readonly string[], token: string): readonly unknown[] => [
  1,
  session,
  contract.hash,
  '1.0.0',
  features,
  token,
]

function send(socket: WebSocket, frame: readonly unknown[]): void {
  // What is said to a connection that has ended is lost, as it is in life.
  if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(frame), () => {})
}
