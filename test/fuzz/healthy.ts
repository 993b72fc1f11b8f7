/** A client that does nothing wrong, beside all those that do: it is served all the time. */
import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocket } from 'ws'
import { contract } from './contract.js'

/** Milliseconds between two rounds, and until the answer of one is missed. */
const PACE = 10
const PATIENCE = 20_000

/** What became of it. */
export interface Served {
  /** Rounds of a call and a publication. */
  readonly rounds: number
  /** The longest that an answer took, in ms. */
  readonly slowest: number
  readonly faults: readonly string[]
}

/** Runs until `stop` is aborted. Resolves always. */
export async function healthyClient(url: string, stop: AbortSignal): Promise<Served> {
  const faults: string[] = []
  let rounds = 0
  let slowest = 0
  const heard = { answer: 0, offset: 0, joined: false }
  let wake = (): void => {}
  let isOpen = true
  const websocket = new WebSocket(url, ['ackord.v1.json'])
  const send = (...frame: readonly unknown[]): void => websocket.send(JSON.stringify(frame))
  websocket.on('open', () => {
    send(1, 'healthy', contract.hash, contract.version, [], 'healthy')
    send(6, 1, 'channel', { id: 'healthy' })
  })
  websocket.on('error', (error) => faults.push(`the healthy client: ${error.message}`))
  websocket.on('close', (code) => {
    isOpen = false
    if (!stop.aborted) faults.push(`the healthy client was closed with ${code}`)
    wake()
  })
  websocket.on('message', (data) => {
    const frame: readonly unknown[] = JSON.parse(data.toString())
    const [type, seq] = frame
    if (type === 19) faults.push(`the healthy client got ${JSON.stringify(frame)}`)
    if (type === 26) send(10)
    if (type === 22) heard.joined = true
    if (type === 18 && typeof seq === 'number') heard.answer = seq
    if (type === 23 && typeof frame[4] === 'number') {
      if (frame[4] !== heard.offset + 1)
        faults.push(`the healthy client got offset ${frame[4]} after ${heard.offset}`)
      heard.offset = frame[4]
    }
    wake()
  })
  const until = (holds: () => boolean, what: string): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(() => {
        faults.push(`the healthy client waited in vain for ${what}`)
        websocket.terminate()
      }, PATIENCE)
      wake = () => {
        if (!holds() && isOpen) return
        clearTimeout(timer)
        resolve()
      }
      wake()
    })
  await until(() => heard.joined, 'its room')
  for (let n = 1; isOpen && !stop.aborted; n++) {
    const began = performance.now()
    send(2, n + 1, 'say', { room: { id: 'healthy' }, said: { n, text: 'healthy' }, how: 0 })
    await until(() => heard.answer === n + 1 && heard.offset === n, `answer and publication ${n}`)
    slowest = Math.max(slowest, performance.now() - began)
    rounds = n
    await sleep(PACE)
  }
  websocket.close()
  await until(() => false, 'its end')
  return { rounds, slowest: Math.round(slowest), faults }
}
