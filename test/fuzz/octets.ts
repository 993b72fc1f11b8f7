/** Bytes that no client of ours writes: broken messages, and frames that RFC 6455 forbids. */
import { OPCODE, wsFrame } from '../support/raw-bytes.js'
import type { Case } from './case.js'
import type { Spoken } from './codecs.js'
import type { Dice } from './dice.js'
import type { Peer } from './peer.js'

const JSON_PIECES = [
  '1e999',
  '-0',
  '9007199254740993',
  '[',
  ']',
  '"',
  '\\u0000',
  '\\ud800',
  ',',
  '{"__proto__":1}',
  '\n',
  'NaN',
  '\ufeff',
]
/** Extensions, the byte that is none, lengths beyond any message, floats that are none, keys that are no text. */
const MSGPACK_PIECES = [
  'c1',
  'd40000',
  'd6ff00000000',
  'c7ff01',
  'dfffffffff',
  'ddffffffff',
  'dbffffffff',
  'c6ffffffff',
  'cb7ff8000000000000',
  'ca7f800000',
  'cfffffffffffffffff',
  'd38000000000000000',
  '810102',
  'a1ff',
  '81a95f5f70726f746f5f5fc0',
]

/** A message with something of it changed: a byte, its length, or a piece put in. */
export function mutated(dice: Dice, binary: boolean, payload: Uint8Array): Uint8Array {
  const at = dice.below(payload.length + 1)
  const [before, behind] = [payload.subarray(0, at), payload.subarray(at)]
  switch (dice.below(5)) {
    case 0:
      return before
    case 1:
      return Buffer.concat([payload, payload])
    case 2: {
      const copy = Uint8Array.from(payload)
      if (at < copy.length) copy[at] = dice.below(256)
      return copy
    }
    case 3: {
      const piece = binary
        ? Buffer.from(dice.pick(MSGPACK_PIECES), 'hex')
        : Buffer.from(dice.pick(JSON_PIECES))
      return Buffer.concat([before, piece, dice.chance(0.5) ? behind : behind.subarray(1)])
    }
    default:
      return Buffer.concat([before, dice.bytes(1 + dice.below(8)), behind])
  }
}

/** Codes that may not be sent, or are out of any range (RFC 6455 § 7.4.2), among those that may. */
const CODES = [
  0, 999, 1000, 1004, 1005, 1006, 1007, 1014, 1015, 1016, 2999, 3000, 4000, 4500, 4999, 5000, 65_535,
]
const LENGTHS = [126n, 65_536n, 65_537n, 2n ** 31n, 2n ** 32n, 2n ** 53n, 2n ** 62n]

/** Some frames of the kinds that break; a flood of them counts as one. */
export function brokenBytes(run: Case, peer: Peer, spoken: Spoken): Buffer[] {
  const { dice } = run
  const data = spoken.binary ? OPCODE.binary : OPCODE.text
  const beat = spoken.write([10])
  const kinds: ReadonlyArray<() => readonly Buffer[]> = [
    () => [wsFrame({ opcode: dice.pick([3, 4, 5, 6, 7, 11, 12, 13, 14, 15]), payload: beat })],
    () => [wsFrame({ opcode: data, rsv: 1 + dice.below(7), payload: beat })],
    () => [wsFrame({ opcode: OPCODE.continuation, fin: dice.chance(0.5), payload: beat })],
    () => [wsFrame({ opcode: OPCODE.text, payload: Uint8Array.of(0x5b, 0xff, 0xc0, dice.below(256)) })],
    () => [wsFrame({ opcode: data, mask: false, payload: beat })],
    () => [wsFrame({ opcode: data, length: dice.pick(LENGTHS), payload: beat })],
    () => [wsFrame({ opcode: spoken.binary ? OPCODE.text : OPCODE.binary, payload: beat })],
    // A message in a message.
    () => [wsFrame({ opcode: data, fin: false, payload: beat }), wsFrame({ opcode: data, payload: beat })],
    // A flood of tiny fragments, ended or not, of nothing or of a byte each.
    () => {
      const payload = dice.chance(0.5) ? '' : 'x'
      const rest = Array<Buffer>(dice.pick([10, 2000])).fill(wsFrame({ opcode: 0, fin: false, payload }))
      const [first, last] = [wsFrame({ opcode: data, fin: false, payload }), wsFrame({ opcode: 0 })]
      return [Buffer.concat([first, ...rest, ...(dice.chance(0.5) ? [last] : [])])]
    },
    () => [wsFrame({ opcode: dice.pick([8, 9, 10]), payload: dice.bytes(126 + dice.below(200)) })],
    () => [wsFrame({ opcode: dice.pick([8, 9, 10]), fin: false, payload: 'part' })],
    () => {
      const ping = wsFrame({ opcode: OPCODE.ping, payload: dice.bytes(dice.below(126)) })
      return [Buffer.concat(Array<Buffer>(dice.pick([10, 1000])).fill(ping))]
    },
    () => [wsFrame({ opcode: OPCODE.pong, payload: 'nobody asked' })],
    () => {
      const code = dice.pick(CODES)
      const reason = dice.pick(['', 'bye', '\u0000', 'x'.repeat(123)])
      const payload = Buffer.concat([Buffer.from([code >> 8, code & 255]), Buffer.from(reason)])
      const cut = dice.chance(0.2) ? payload.subarray(0, dice.below(2)) : payload
      const wrong = dice.chance(0.1) ? Buffer.concat([cut, Buffer.from([0xff, 0xfe])]) : cut
      peer.closing(wrong)
      return [wsFrame({ opcode: OPCODE.close, payload: wrong })]
    },
    () => [Buffer.from(dice.bytes(1 + dice.below(300)))],
    () => [Buffer.from('GET /live HTTP/1.1\r\nHost: again\r\n\r\n')],
  ]
  return Array.from({ length: 1 + dice.below(4) }, () => dice.pick(kinds)())
    .flat()
    .map((bytes) => run.note(bytes))
}
