/** Newcomers, as many as the loopback bears: a process of its own. */
import { connect } from 'node:net'
import { hello, now, PATH } from './contract.js'

/** What the parent asks for; answered with an Arrivals once it is over. */
export interface Storm {
  readonly port: number
  /** Milliseconds. */
  readonly ms: number
  /** Newcomers on their way at a time. */
  readonly atOnce: number
}

/** What became of the newcomers. */
export interface Arrivals {
  readonly tried: number
  /** Were sent WELCOME. */
  readonly welcomed: number
  /** 503 with a Retry-After of at least a second. */
  readonly refused: number
  /** By what it was: another answer, a close, an end without either. */
  readonly others: Readonly<Record<string, number>>
  /** Milliseconds from the start of the storm to its first 503. */
  readonly firstRefusal: number | undefined
  /** Milliseconds that a 101 took, and a refusal: half of them, and the longest. */
  readonly upgrade: Times
  readonly refusal: Times
}

/** Milliseconds. */
export interface Times {
  readonly p50: number
  readonly most: number
}

/** Of those who were let in, so many stay: the earliest leave. */
const STAYING = 3000
/** Addresses that they come from: one has too few ports. */
const ADDRESSES = 60
/** WELCOME as an unmasked text message, whatever its length. */
const WELCOME = '[17,'

// One storm: what its newcomers share.
class Weather {
  tried = 0
  welcomed = 0
  refused = 0
  others: Record<string, number> = {}
  firstRefusal: number | undefined
  upgrades: number[] = []
  refusals: number[] = []
  readonly storm: Storm
  readonly start = now()
  readonly staying = new Set<() => void>()

  constructor(storm: Storm) {
    this.storm = storm
  }

  get isOver(): boolean {
    return now() - this.start >= this.storm.ms
  }

  other(what: string): void {
    this.others[what] = (this.others[what] ?? 0) + 1
  }
}

// Half of them bring their token with the upgrade, half with HELLO. Each is followed by another, once it knows what became of it.
function come(weather: Weather, onEnd: () => void): void {
  if (weather.isOver) {
    onEnd()
    return
  }
  const index = weather.tried++
  const byHeader = index % 2 === 0
  const token = `newcomer-${index}.good`
  const began = now()
  const socket = connect({
    port: weather.storm.port,
    host: '127.0.0.1',
    localAddress: `127.0.1.${1 + (index % ADDRESSES)}`,
  })
  let received = ''
  let is: 'coming' | 'upgraded' | 'known' = 'coming'
  const known = (stays: boolean): void => {
    if (is === 'known') return
    is = 'known'
    if (!stays) socket.destroy()
    // In a turn of its own: a refused connect would otherwise never let go.
    setImmediate(come, weather, onEnd)
  }
  socket.on('connect', () => socket.write(request(weather.storm.port, byHeader ? token : undefined)))
  socket.on('data', (bytes) => {
    if (is === 'known') return
    received += bytes.toString('latin1')
    if (is === 'coming' && received.includes('\r\n\r\n')) {
      const status = received.slice(9, 12)
      if (status === '101') {
        is = 'upgraded'
        weather.upgrades.push(now() - began)
        socket.write(masked(hello(`s-${process.pid}-${index}`, byHeader ? undefined : token)))
      } else {
        const retryAfter = Number(/^retry-after: (\d+)/im.exec(received)?.[1])
        if (status === '503' && retryAfter >= 1) {
          weather.refused++
          weather.refusals.push(now() - began)
          weather.firstRefusal ??= now() - weather.start
        } else weather.other(`${status}, Retry-After ${retryAfter}`)
        known(false)
      }
    }
    if (is === 'upgraded' && received.includes(WELCOME)) {
      weather.welcomed++
      const leave = (): void => void socket.destroy()
      weather.staying.add(leave)
      if (weather.staying.size > STAYING) {
        const [first] = weather.staying
        if (first !== undefined) {
          weather.staying.delete(first)
          first()
        }
      }
      known(true)
    }
  })
  // What ended says 'close' too.
  socket.on('error', () => undefined)
  socket.on('close', () => {
    if (is === 'known') return
    weather.other(is === 'coming' ? 'cut before an answer' : `closed behind its 101 ${closeCode(received)}`)
    known(false)
  })
}

const request = (port: number, token: string | undefined): string =>
  [
    `GET ${PATH} HTTP/1.1`,
    `Host: 127.0.0.1:${port}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
    'Sec-WebSocket-Protocol: ackord.v1.json',
    ...(token === undefined ? [] : [`Authorization: Bearer ${token}`]),
    '',
    '',
  ].join('\r\n')

/** A text frame of 126 to 65,535 bytes or less than 126, masked with zeros. RFC 6455 § 5.2. */
function masked(text: string): Buffer {
  const payload = Buffer.from(text)
  const head =
    payload.length < 126
      ? [0x81, 0x80 | payload.length]
      : [0x81, 0x80 | 126, payload.length >> 8, payload.length & 0xff]
  return Buffer.concat([Buffer.from([...head, 0, 0, 0, 0]), payload])
}

// The code of the Close that stands at the end, where there is one. RFC 6455 § 5.5.1.
function closeCode(received: string): string {
  const bytes = Buffer.from(received, 'latin1')
  const at = bytes.lastIndexOf(0x88)
  return at >= 0 && at + 4 <= bytes.length ? String(bytes.readUInt16BE(at + 2)) : 'without a code'
}

function times(list: readonly number[]): Times {
  const sorted = list.toSorted((a, b) => a - b)
  const at = (share: number): number => sorted[Math.floor(share * (sorted.length - 1))] ?? 0
  return { p50: at(0.5), most: at(1) }
}

async function blow(storm: Storm): Promise<Arrivals> {
  const weather = new Weather(storm)
  await new Promise<void>((resolve) => {
    let left = storm.atOnce
    const onEnd = (): void => {
      if (--left === 0) resolve()
    }
    for (let i = 0; i < storm.atOnce; i++) come(weather, onEnd)
  })
  for (const leave of weather.staying) leave()
  const { tried, welcomed, refused, others, firstRefusal, upgrades, refusals } = weather
  return {
    tried,
    welcomed,
    refused,
    others,
    firstRefusal,
    upgrade: times(upgrades),
    refusal: times(refusals),
  }
}

process.on('message', async (storm: Storm) => process.send?.(await blow(storm)))
process.on('disconnect', () => process.exit())
process.send?.({ pid: process.pid })
