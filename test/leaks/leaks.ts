/** Connections that are refused and that are dropped, thousands of them, and what is left of them in the server. */
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { upgradeRequest, wsFrame } from '../support/raw-bytes.js'
import { type Child, CROWDED, type Measured, startChild } from './child.js'
import { hello } from './contract.js'

/** How many at once. */
const BATCH = 250
/** Milliseconds until the server has to have let go of a batch. */
const PATIENCE = 15_000
/** Bytes of heap that one connection may leave, and that may differ in any case: code that was compiled, caches. */
const PER_CONNECTION = 50
const IN_ANY_CASE = 3_000_000

/** What was found. */
export interface Leaks {
  readonly ok: boolean
  readonly refused: number
  readonly dropped: number
  /** How often each refusal was met, by code; `unrefused`: the 426 of a plain GET. */
  readonly reasons: Readonly<Record<string, number>>
  readonly seconds: number
  readonly before: Measured
  readonly after: Measured
  /** Bytes of heap more than before, for each connection. */
  readonly heapPerConnection: number
  /** What is wrong; empty where nothing is. */
  readonly problems: readonly string[]
}

/** Refuses and drops `count` each. */
export async function measureLeaks(count: number, progress: (line: string) => void): Promise<Leaks> {
  // Nobody is turned away because the machine has other work.
  const limits = { maxConnectionsPerAddress: 10_000, maxUnauthenticated: 10_000, maxLag: 60_000 }
  const child = await startChild(limits)
  try {
    const started = performance.now()
    const problems: string[] = []
    const rounds = { refused: refuseBatch, dropped: dropBatch }
    // What is compiled and cached on the way is there before the first measure.
    for (const round of Object.values(rounds)) {
      for (let n = 0; n < Math.min(count, 1000); n += BATCH) await round(child, BATCH, problems)
    }
    await settle(child, problems)
    const before = await child.measure()
    for (const [name, round] of Object.entries(rounds)) {
      for (let n = 0; n < count; n += BATCH) {
        await round(child, Math.min(BATCH, count - n), problems)
        const done = Math.min(n + BATCH, count)
        if (done % 2000 === 0 || done === count) progress(`${name}: ${done} of ${count}`)
      }
    }
    await settle(child, problems)
    const after = await child.measure()
    const { refused: reasons } = await child.look()
    const grown = after.heap - before.heap
    if (after.descriptors > before.descriptors)
      problems.push(`descriptors: ${before.descriptors}, then ${after.descriptors}`)
    if (after.timers > before.timers) problems.push(`timers: ${before.timers}, then ${after.timers}`)
    if (grown > IN_ANY_CASE + 2 * count * PER_CONNECTION) problems.push(`the heap grew by ${grown} bytes`)
    return {
      ok: problems.length === 0,
      refused: count,
      dropped: count,
      reasons,
      seconds: Math.round((performance.now() - started) / 100) / 10,
      before,
      after,
      heapPerConnection: Math.round(grown / (2 * count)),
      problems: [...new Set(problems)],
    }
  } finally {
    await child.end()
  }
}

/** Each is refused for another reason. */
const BAD: ReadonlyArray<Readonly<Record<string, string | undefined>>> = [
  { authorization: 'Bearer bad' },
  { origin: 'https://evil.example' },
  { 'sec-websocket-version': '8' },
  { 'sec-websocket-key': 'short' },
  { 'sec-websocket-protocol': 'other' },
  { 'content-length': '9' },
  { 'x-forwarded-for': CROWDED },
  { 'x-refused': '1' },
  // A plain GET.
  { connection: undefined, upgrade: undefined },
]

const refusedUpgrades = (url: string): readonly string[] => [
  ...BAD.map((headers) => upgradeRequest(url, headers)),
  upgradeRequest(new URL('/nowhere', url)),
]

/** One in so many is refused by a node that is full. */
const FULL_SHARE = 10

// The peers never read and never close: while all of them are still there, the server has let go of each.
async function refuseBatch(child: Child, count: number, problems: string[]): Promise<void> {
  const peers = await Promise.all(Array.from({ length: count }, () => mute(child.port)))
  const full = Math.ceil(count / FULL_SHARE)
  await child.crowd('crowd-address')
  await refuse(child, peers.slice(full), refusedUpgrades(child.url), problems)
  await child.crowd('crowd-node')
  await refuse(child, peers.slice(0, full), [upgradeRequest(child.url)], problems)
  await child.crowd('no-crowd')
  await settle(child, problems)
  for (const peer of peers) peer.destroy()
}

// Each peer asks for the next of these in turn, and all have to be refused.
async function refuse(
  child: Child,
  peers: readonly Socket[],
  requests: readonly string[],
  problems: string[],
): Promise<void> {
  const refusals = async (): Promise<number> => {
    const { refused } = await child.look()
    return Object.values(refused).reduce((sum, n) => sum + n, 0)
  }
  const before = await refusals()
  peers.forEach((peer, i) => {
    peer.write(requests[i % requests.length] ?? '')
  })
  const end = performance.now() + PATIENCE
  while ((await refusals()) < before + peers.length) {
    if (performance.now() > end) {
      problems.push(`of ${peers.length} upgrades ${(await refusals()) - before} were refused`)
      return
    }
    await sleep(2)
  }
}

// A third goes without a word, a third with a reset, a third before the server has answered anything: of those half by a reset, while a
// hook of the app holds up their upgrade.
async function dropBatch(child: Child, count: number, problems: string[]): Promise<void> {
  const peers = await Promise.all(Array.from({ length: count }, () => mute(child.port)))
  await Promise.all(
    peers.map(async (peer, i) => {
      const user = `user-${i}`
      const byHeader = i % 2 === 0
      const isHeld = i % 6 === 3
      peer.write(
        upgradeRequest(child.url, {
          ...(byHeader && { authorization: `Bearer ${user}` }),
          ...(isHeld && { 'x-held': '1' }),
        }),
      )
      if (isHeld) return peer.resetAndDestroy()
      if (i % 3 === 0) return peer.destroy()
      const say = (frame: readonly unknown[]) => peer.write(wsFrame({ payload: JSON.stringify(frame) }))
      await heard(peer, '\r\n\r\n')
      say(hello(`session-${i}`, byHeader ? undefined : user))
      say([6, 1, 'hall', {}])
      say([2, 2, 'echo', { text: 'hi' }])
      await heard(peer, '[18,2,')
      if (i % 3 === 1) peer.destroy()
      else peer.resetAndDestroy()
    }),
  )
  await settle(child, problems)
}

async function settle(child: Child, problems: string[]): Promise<void> {
  const end = performance.now() + PATIENCE
  for (;;) {
    const { held, timers } = await child.look()
    // A timer that looks after deadlines rings once more behind the last of them.
    const left = Object.entries({ ...held, timers }).filter(([, n]) => n > 0)
    if (left.length === 0) return
    if (performance.now() > end) {
      problems.push(`left: ${left.map(([name, n]) => `${n} ${name}`).join(', ')}`)
      return
    }
    await sleep(5)
  }
}

function mute(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const peer = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    peer.pause()
    peer.once('error', reject)
    peer.once('connect', () => {
      peer.off('error', reject)
      // A reset by the server is as good an end as any.
      peer.on('error', () => {})
      resolve(peer)
    })
  })
}

function heard(peer: Socket, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let all = ''
    const onData = (chunk: Buffer): void => {
      all += chunk.toString('latin1')
      if (!all.includes(text)) return
      peer.off('data', onData)
      peer.off('close', onClose)
      peer.pause()
      resolve()
    }
    const onClose = (): void => reject(new Error(`closed before ${JSON.stringify(text)} came: ${all}`))
    peer.on('data', onData)
    peer.on('close', onClose)
    peer.resume()
  })
}
