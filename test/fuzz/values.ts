/** Values that somebody might send: right ones, odd ones, and what should never get in. */
import type { Dice } from './dice.js'

const NUMBERS = [
  0,
  1,
  2,
  3,
  5,
  50,
  -1,
  0.5,
  -0,
  1e-320,
  1e308,
  -1e308,
  65_535,
  65_536,
  2 ** 31,
  2 ** 32,
  -(2 ** 31),
]
const HUGE = [2 ** 53 - 1, 2 ** 53, -(2 ** 53), 2 ** 63, 2 ** 64]
const TEXTS = [
  '',
  'a',
  'channel',
  'echo',
  'general',
  '\u0000',
  'ä€😀',
  '\u2028',
  'x'.repeat(1024),
  'AAECAw==',
  '0',
  'null',
]
const ODD_TEXTS = [
  'x'.repeat(1025),
  '\ud800',
  '__proto__',
  'constructor',
  'x'.repeat(17_000),
  'toString',
  'A=B',
]

/** A value that no rule of the protocol forbids inside a frame. */
export function mildValue(dice: Dice, depth = 3): unknown {
  const kind = dice.below(depth > 0 ? 8 : 5)
  if (kind === 0) return null
  if (kind === 1) return dice.chance(0.5)
  if (kind === 2) return dice.pick(dice.chance(0.2) ? HUGE : NUMBERS)
  if (kind <= 4) return dice.pick(TEXTS)
  if (kind === 5) return Array.from({ length: dice.below(4) }, () => mildValue(dice, depth - 1))
  const keys = ['id', 'text', 'n', 'to', 'ms', 'room', 'said', 'bytes', 'length', 'then', '']
  return Object.fromEntries(
    Array.from({ length: dice.below(4) }, () => [dice.pick(keys), mildValue(dice, depth - 1)]),
  )
}

/** Any value: also what is too deep, too long, or would change a prototype. */
export function anyValue(dice: Dice): unknown {
  const kind = dice.below(12)
  if (kind === 0) return nested(dice.pick([10, 62, 63, 64, 65, 1000]))
  // Own keys, as JSON.parse makes them.
  if (kind === 1) return JSON.parse('{"__proto__":{"admin":true}}')
  if (kind === 2) return { constructor: { prototype: { admin: true } } }
  if (kind === 3) return dice.pick(ODD_TEXTS)
  if (kind === 4) return dice.pick(HUGE)
  if (kind === 5) return dice.bytes(dice.below(20))
  if (kind === 6) return Array.from({ length: dice.pick([64, 65, 5000]) }, () => 'f')
  return mildValue(dice)
}

function nested(depth: number): unknown {
  let value: unknown = []
  for (let i = 1; i < depth; i++) value = i % 2 === 0 ? [value] : { a: value }
  return value
}
