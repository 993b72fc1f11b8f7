/** Clients that lose their server all at once and come back all at once, without the jitter of a good client. */
import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocket } from 'ws'
import type { AckordOptions } from '../../plugins/index.js'
import { type Child, startChild } from '../leaks/child.js'
import { hello } from '../leaks/contract.js'

/** Milliseconds until everybody has to be in. */
const PATIENCE = 120_000
/** Milliseconds after which one attempt is given up, by the client. */
const ATTEMPT = 20_000

/** How a storm goes. */
export interface StormSettings {
  readonly connections: number
  readonly options: AckordOptions
  /** Milliseconds that clients take a second of Retry-After for. */
  readonly second: number
  readonly progress: (line: string) => void
}

/** What was found. */
export interface Storm {
  readonly ok: boolean
  readonly connections: number
  /** Milliseconds until 99 % and all were back. */
  readonly most: number
  readonly all: number
  /** How often somebody was told to come back later, by what. */
  readonly refusals: Readonly<Record<string, number>>
  /** Milliseconds by which the server's event loop was late at most, while they came back. */
  readonly lag: number
  readonly problems: readonly string[]
}

/** What the clients share. */
interface Sky extends StormSettings {
  readonly child: Child
  readonly refusals: Record<string, number>
  readonly problems: Set<string>
  isOver: boolean
}

/** Lets all in, cuts all, and waits until all are back. */
export async function storm(settings: StormSettings): Promise<Storm> {
  const { connections, progress } = settings
  const child = await startChild({
    maxConnectionsPerAddress: connections,
    maxConnections: connections,
    ...settings.options,
  })
  const sky: Sky = { ...settings, child, refusals: {}, problems: new Set(), isOver: false }
  const clients = Array.from({ length: connections }, (_, i) => new Client(sky, i))
  try {
    await within(Promise.all(clients.map((client) => client.enter())), sky, 'to come in')
    progress(`${connections} are in`)
    for (const name of Object.keys(sky.refusals)) delete sky.refusals[name]
    await child.measure()
    const start = performance.now()
    const back: number[] = []
    const returned = clients.map(async (client) => {
      await client.gone()
      await client.enter()
      back.push(performance.now() - start)
    })
    child.drop()
    await within(Promise.all(returned), sky, 'to come back')
    const { lag, held } = await child.measure()
    if (held.connections !== connections) sky.problems.add(`${held.connections} are connected`)
    if (held.anonymous !== 0 || held.expected !== 0) sky.problems.add('somebody is still counted as coming')
    const at = (share: number) => Math.round(back[Math.ceil(back.length * share) - 1] ?? Number.NaN)
    return {
      ok: sky.problems.size === 0,
      connections,
      most: at(0.99),
      all: at(1),
      refusals: sky.refusals,
      lag,
      problems: [...sky.problems],
    }
  } finally {
    sky.isOver = true
    await child.end()
    for (const client of clients) client.end()
  }
}

class Client {
  readonly #sky: Sky
  readonly #index: number
  #socket: WebSocket | undefined

  constructor(sky: Sky, index: number) {
    this.#sky = sky
    this.#index = index
  }

  /** Resolves once it has its WELCOME, however often it is told to come later. */
  async enter(): Promise<void> {
    const { second, problems } = this.#sky
    while (!this.#sky.isOver) {
      const later = await this.#attempt()
      if (later === undefined) return
      if (!(later >= 1)) problems.add('a refusal without Retry-After')
      // Somewhere in the second that follows.
      await sleep((later + (this.#index % 100) / 100) * second)
    }
  }

  /** Resolves once its connection has ended. */
  gone(): Promise<void> {
    return new Promise((resolve) => this.#socket?.once('close', () => resolve()))
  }

  end(): void {
    this.#socket?.terminate()
  }

  // Seconds to wait, or nothing where it is in. Half of them bring their token with the upgrade, half with HELLO.
  #attempt(): Promise<number | undefined> {
    const { child, refusals, problems } = this.#sky
    const user = `user-${this.#index}`
    const byHeader = this.#index % 2 === 0
    const socket = new WebSocket(child.url, 'ackord.v1.json', {
      headers: byHeader ? { authorization: `Bearer ${user}` } : {},
      handshakeTimeout: ATTEMPT,
      perMessageDeflate: false,
    })
    this.#socket = socket
    return new Promise((resolve) => {
      let isSettled = false
      const settle = (seconds: number | undefined, refusal?: string): void => {
        if (isSettled) return
        isSettled = true
        if (refusal !== undefined) refusals[refusal] = (refusals[refusal] ?? 0) + 1
        resolve(seconds)
      }
      socket.on('open', () =>
        socket.send(JSON.stringify(hello(`session-${this.#index}`, byHeader ? undefined : user))),
      )
      socket.on('message', (data) => {
        if (String(data).startsWith('[17,')) settle(undefined)
      })
      socket.on('unexpected-response', (_request, response) => {
        const { statusCode = 0, headers } = response
        if (statusCode !== 503 && statusCode !== 429) problems.add(`refused with ${statusCode}`)
        settle(Number(headers['retry-after']), String(statusCode))
        socket.terminate()
      })
      socket.on('close', (code) => {
        if (![1013, 4001, 4006, 1006].includes(code)) problems.add(`closed with ${code}`)
        settle(1, `closed with ${code}`)
      })
      socket.on('error', () => {})
    })
  }
}

async function within(work: Promise<unknown>, { problems, child }: Sky, what: string): Promise<void> {
  const late = new AbortController()
  const limit = sleep(PATIENCE, 'late', { signal: late.signal })
  if ((await Promise.race([work, limit])) === 'late') {
    const { held } = await child.look()
    problems.add(`waited ${PATIENCE} ms for everybody ${what}; ${held.connections} are in`)
  }
  late.abort()
  limit.catch(() => {})
}
