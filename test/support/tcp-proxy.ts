/** A TCP proxy that misbehaves as networks do: silent in one direction or both, slow, cut after so many bytes. It knows bytes only. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

/** `up` is from the client to the server. */
export type Direction = 'up' | 'down'

/** How a cut looks to both sides: a FIN, or an RST. */
export interface CutOptions {
  readonly reset?: boolean
}

/** Bytes under way in one direction of a link; beyond, the sender is not read. */
const MAX_UNDER_WAY = 1_048_576

/** One direction of a link. */
class Pipe {
  readonly #from: Socket
  readonly #to: Socket
  #silent = false
  #delay = 0
  // What is delayed, in order; at most MAX_UNDER_WAY and what was read at once.
  readonly #delayed: { readonly chunk: Buffer | undefined; readonly due: number }[] = []
  #underWay = 0
  #left = Number.POSITIVE_INFINITY
  #atLimit: () => void = () => {}
  /** Bytes that went through. */
  passed = 0

  constructor(from: Socket, to: Socket) {
    this.#from = from
    this.#to = to
    from.on('data', (chunk) => this.#schedule(chunk))
    from.on('end', () => this.#schedule(undefined))
    to.on('drain', () => this.#regulate())
  }

  set silent(silent: boolean) {
    this.#silent = silent
    this.#regulate()
  }

  set delay(ms: number) {
    this.#delay = ms
  }

  /** Calls `act` when so many more bytes went through, and lets no further one pass. */
  limit(bytes: number, act: () => void): void {
    this.#left = bytes
    this.#atLimit = act
  }

  // `undefined` is the end. Order is kept, also where the delay becomes shorter.
  #schedule(chunk: Buffer | undefined): void {
    this.#underWay += chunk?.length ?? 0
    if (this.#delay === 0 && this.#delayed.length === 0) this.#pass(chunk)
    else {
      this.#delayed.push({ chunk, due: performance.now() + this.#delay })
      if (this.#delayed.length === 1) setTimeout(this.#release, this.#delay)
    }
    this.#regulate()
  }

  readonly #release = (): void => {
    const next = this.#delayed.shift()
    if (next === undefined) return
    this.#pass(next.chunk)
    const [after] = this.#delayed
    if (after !== undefined) setTimeout(this.#release, Math.max(0, after.due - performance.now()))
  }

  #pass(chunk: Buffer | undefined): void {
    this.#underWay -= chunk?.length ?? 0
    if (this.#to.destroyed) return
    if (chunk === undefined) {
      this.#to.end()
      return
    }
    const part = chunk.subarray(0, this.#left)
    this.#left -= part.length
    this.passed += part.length
    if (part.length > 0) this.#to.write(part)
    if (this.#left === 0) {
      this.#left = Number.POSITIVE_INFINITY
      this.#atLimit()
    }
    this.#regulate()
  }

  // A silent link loses nothing: TCP keeps what was sent until it is heard again, or the link is cut.
  #regulate(): void {
    if (this.#silent || this.#underWay > MAX_UNDER_WAY || this.#to.writableNeedDrain) this.#from.pause()
    else this.#from.resume()
  }
}

/** One connection through the proxy. */
export class Link {
  readonly up: Pipe
  readonly down: Pipe
  readonly #sockets: readonly [Socket, Socket]

  constructor(client: Socket, server: Socket) {
    this.#sockets = [client, server]
    this.up = new Pipe(client, server)
    this.down = new Pipe(server, client)
    for (const socket of this.#sockets) socket.setNoDelay(true).on('error', () => this.cut({ reset: true }))
  }

  /** Whether both ends are gone. */
  get ended(): boolean {
    return this.#sockets.every((socket) => socket.destroyed)
  }

  /** Ends both sides at once; what is under way is lost. */
  cut({ reset = false }: CutOptions = {}): void {
    for (const socket of this.#sockets) {
      if (reset) socket.resetAndDestroy()
      else socket.destroy()
    }
  }

  /** Cuts after so many more bytes in one direction: in the middle of a frame, say. */
  cutAfter(bytes: number, direction: Direction, options?: CutOptions): void {
    this[direction].limit(bytes, () => this.cut(options))
  }
}

/** A proxy in front of one server. Made by `startProxy`. */
export class TcpProxy {
  readonly port: number
  /** Those that have not ended. */
  readonly links = new Set<Link>()
  /** The port that connections lead to from now on. */
  target: number
  readonly #server: Server
  readonly #silent = new Set<Direction>()
  #delay = 0

  /** Use `startProxy`. */
  constructor(server: Server, target: number) {
    this.#server = server
    this.port = (server.address() as AddressInfo).port
    this.target = target
    server.on('connection', (client) => this.#take(client))
  }

  #take(client: Socket): void {
    const link = new Link(client, connect({ port: this.target, host: '127.0.0.1', allowHalfOpen: true }))
    this.links.add(link)
    client.on('close', () => this.links.delete(link))
    link.up.delay = this.#delay
    link.down.delay = this.#delay
    for (const direction of this.#silent) link[direction].silent = true
  }

  /** The same address, through the proxy. */
  through(url: string): string {
    const address = new URL(url)
    address.port = String(this.port)
    return address.href
  }

  /** Nothing passes any more, in both directions or one: no byte, no FIN. Connections that come later connect, and hear nothing. */
  silence(...directions: Direction[]): void {
    for (const direction of directions.length > 0 ? directions : (['up', 'down'] as const)) {
      this.#silent.add(direction)
      for (const link of this.links) link[direction].silent = true
    }
  }

  /** Everything passes again, first what was held back. */
  heal(): void {
    this.#silent.clear()
    for (const link of this.links)
      for (const direction of ['up', 'down'] as const) link[direction].silent = false
  }

  /** Milliseconds that everything takes from now on, in each direction. */
  delay(ms: number): void {
    this.#delay = ms
    for (const link of this.links) for (const direction of ['up', 'down'] as const) link[direction].delay = ms
  }

  /** Cuts every connection. */
  cut(options?: CutOptions): void {
    for (const link of this.links) link.cut(options)
  }

  /** Ends everything. */
  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    this.cut()
    await closed
  }
}

/** Starts a proxy in front of a port of the loopback; it ends with the test unless `own` says that the caller ends it. */
export async function startProxy(target: number, { own = false } = {}): Promise<TcpProxy> {
  const server = createServer({ allowHalfOpen: true })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const proxy = new TcpProxy(server, target)
  if (!own) onTestFinished(() => proxy.close())
  return proxy
}
