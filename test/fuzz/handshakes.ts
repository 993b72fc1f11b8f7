/** Upgrades and requests that are not as they should be: every answer is HTTP with JSON, and the connection ends. */
import { upgradeRequest } from '../support/raw-bytes.js'
import type { Case } from './case.js'
import { SPOKEN } from './codecs.js'
import type { Dice } from './dice.js'
import { dial, type Peer } from './peer.js'

/** What may be answered: PROTOCOL.md § Refusals, and what Node and Fastify say to what is no request. */
const STATUSES = new Set([
  100, 101, 200, 400, 401, 403, 404, 405, 408, 413, 415, 417, 426, 429, 431, 501, 505,
])
const VERSIONS = ['8', '12', '14', '0', '-13', '13, 8', 'x', '', '13.0']
const PROTOCOLS = [
  '',
  'other',
  'ackord.v2.json',
  'ackord.v1.json, ackord.v1.json',
  ',',
  'a b',
  'ackord.v1.json, other',
  'ackord.token.',
  'ackord.token.%%%, ackord.v1.json',
  'ackord.v1.json, ackord.token.YmFk',
  `ackord.token.${'A'.repeat(9000)}, ackord.v1.json`,
  'ackord.v1.msgpack, ackord.v1.json',
  'ACKORD.V1.JSON',
]
const ORIGINS = [
  'null',
  'https://evil.example',
  'http://127.0.0.1:1',
  'file://',
  '',
  'http://127.0.0.1',
  'x'.repeat(3000),
]
const KEYS = [
  '',
  'short',
  'dGhlIHNhbXBsZSBub25jZQ',
  'dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ==',
  '====',
  'x'.repeat(5000),
]
// No HEAD: its answer has a length and no body.
const METHODS = ['GET', 'POST', 'PUT', 'OPTIONS', 'DELETE', 'CONNECT', 'PRI', 'get', 'BREW', 'G ET']
const TARGETS = [
  '/live',
  '/live/',
  '/live?x=1',
  '/live/ticket',
  '/',
  '/none',
  '//live',
  '*',
  'http://x/live',
  '/live%00',
  '/l%69ve',
  '/live#x',
  '',
]

type Headers = Record<string, string | undefined>

function headersOf(dice: Dice): Headers {
  const headers: Headers = {}
  const odd = (share: number, name: string, values: readonly (string | undefined)[]): void => {
    if (dice.chance(share)) headers[name] = dice.pick(values)
  }
  odd(0.2, 'sec-websocket-version', [...VERSIONS, undefined])
  odd(0.2, 'sec-websocket-key', [...KEYS, undefined])
  odd(0.3, 'sec-websocket-protocol', [...PROTOCOLS, undefined])
  odd(0.2, 'origin', ORIGINS)
  odd(0.15, 'connection', ['close', 'keep-alive', 'keep-alive, Upgrade', 'upgrade', '', undefined])
  odd(0.15, 'upgrade', ['h2c', 'WebSocket', 'websocket, h2c', '', 'websocket/13', undefined])
  odd(0.15, 'host', ['', 'a b', 'evil.example', undefined, 'x'.repeat(2000)])
  odd(0.2, 'authorization', [
    'Bearer user-a',
    'Bearer bad',
    'Bearer',
    'Basic x',
    'Bearer for-0-a',
    `Bearer ${'t'.repeat(15_000)}`,
  ])
  odd(0.1, 'content-length', ['0', '5', '-1', 'x', '99999999999', '5, 5'])
  odd(0.1, 'transfer-encoding', ['chunked', 'gzip', 'chunked, chunked', 'identity'])
  odd(0.05, 'expect', ['100-continue', 'the unexpected'])
  odd(0.1, 'sec-websocket-extensions', [
    'permessage-deflate',
    'permessage-deflate; x=y',
    ';',
    'permessage-deflate; server_max_window_bits=99',
  ])
  odd(0.05, 'sec-fetch-site', ['same-origin', 'cross-site'])
  odd(0.05, 'cookie', ['token=user-a', '=', ';;'])
  if (dice.chance(0.1)) for (let n = dice.pick([100, 1999, 2100]); n > 0; n--) headers[`x-${n}`] = 'y'
  if (dice.chance(0.05)) headers[dice.pick(['x y', 'x\u0000', ':', 'x\r\nset-cookie', ''])] = 'odd'
  return headers
}

/** The bytes of one case. */
function requestOf(dice: Dice, port: number): Buffer {
  const line = dice.chance(0.25)
    ? `${dice.pick(METHODS)} ${dice.pick(TARGETS)} ${dice.pick(['HTTP/1.1', 'HTTP/1.0', 'HTTP/2.0', 'HTTP/9', ''])}`
    : undefined
  let text = upgradeRequest(`ws://127.0.0.1:${port}/live`, headersOf(dice), line)
  // Lines may be put twice, go missing, or end as they should not.
  const lines = text.split('\r\n')
  const at = 1 + dice.below(lines.length - 2)
  if (dice.chance(0.1)) text = lines.toSpliced(at, 0, lines[at] ?? '').join('\r\n')
  if (dice.chance(0.1)) text = lines.toSpliced(at, 1).join('\r\n')
  if (dice.chance(0.05)) text = text.replaceAll('\r\n', dice.pick(['\n', '\r', '\n\r']))
  if (dice.chance(0.05)) text = text.replace(': ', dice.pick([' : ', ':', '\t', ':\u0000']))
  const head = Buffer.from(text, dice.chance(0.9) ? 'latin1' : 'utf16le')
  if (dice.chance(0.1)) return head.subarray(0, dice.below(head.length))
  if (dice.chance(0.1)) head[dice.below(head.length)] = dice.below(256)
  const behind = dice.below(8)
  if (behind === 0) return Buffer.concat([head, head])
  if (behind === 1) return Buffer.concat([Buffer.from('GET /none HTTP/1.1\r\nHost: x\r\n\r\n'), head])
  if (behind === 2) return Buffer.concat([head, dice.bytes(dice.below(200))])
  if (behind === 3) return Buffer.concat([head, Buffer.from('hello5\r\nhello\r\n0\r\n\r\n')])
  return head
}

/** Writes it, and nothing more: however it is taken, there is an answer or an end, and then an end. */
export async function handshakeTalk(run: Case): Promise<void> {
  const { dice } = run
  const peer = await dial(run.port, dice.pick(SPOKEN), run.fault)
  const bytes = requestOf(dice, run.port)
  run.handshake(bytes.toString('latin1'))
  const at = dice.chance(0.3) ? dice.below(bytes.length + 1) : bytes.length
  peer.writeCut(bytes, at)
  if (dice.chance(0.1)) peer.abort(dice.chance(0.5))
  else peer.finish()
  await peer.until(() => false, 'the end of the connection')
  for (const answer of peer.answers) examine(run, answer)
  run.closed(peer)
}

function examine(run: Case, { status, head, body }: Peer['answers'][number]): void {
  if (!STATUSES.has(status)) run.fault(`answered with ${status}: ${head.slice(0, 200)} ${body.slice(0, 200)}`)
  if (status < 400 || body === '') return
  let answer: unknown
  try {
    answer = JSON.parse(body)
  } catch {
    // It is a fault, and told below.
  }
  if (
    typeof answer !== 'object' ||
    answer === null ||
    !('statusCode' in answer) ||
    answer.statusCode !== status
  )
    run.fault(`${status} was answered with no JSON that says so: ${body.slice(0, 200)}`)
}
