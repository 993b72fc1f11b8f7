/** Frames from the declaration alone: one that is added to it is covered by itself. */
import { CLIENT_FRAMES, type Field, FRAMES, type FrameSpec } from '../../contract/wire/index.js'
import { contract } from './contract.js'
import type { Dice } from './dice.js'
import { fitting, roomParams } from './inputs.js'
import { anyValue, mildValue } from './values.js'

const SPECS: readonly FrameSpec[] = Object.values(CLIENT_FRAMES)
const TYPES = Object.values(FRAMES).map(({ type }) => type)
const CALLS = Object.keys(contract.calls)

/** What elements are made of. Each element takes of it what its declaration lets through. */
const candidates = (dice: Dice): unknown[] => [
  ...[null, true, 0, 1, 2, 3, 1 + dice.below(40), 65_536, 2 ** 53 - 1, -1, 0.5, 2 ** 53],
  ...[
    '',
    'channel',
    'closed',
    'notice',
    'user-a',
    'user-b',
    'bad',
    'for-1-user-a',
    'x'.repeat(1025),
    'TEAPOT',
  ],
  ...[dice.pick(CALLS), dice.pick(CALLS), dice.pick(CALLS)],
  ...[
    [],
    ['goaway', 'token'],
    ['once', 1],
    ['epoch', 1, 1],
    ['epoch', -1, 1],
    ['p', 1, 1, false],
    ['p', 1, 1, 1],
  ],
  ...[{}, roomParams(dice), fitting(dice, dice.pick(CALLS)), mildValue(dice), anyValue(dice)],
]

function element(dice: Dice, field: Field, good: boolean): unknown {
  const fit = candidates(dice).filter((value) => field(value) === good)
  return fit.length === 0 ? null : dice.pick(fit)
}

/** A frame that keeps to its declaration, whatever it means. */
export function declaredFrame(dice: Dice, spec = dice.pick(SPECS)): unknown[] {
  return [spec.type, ...spec.fields.map((field) => element(dice, field, true))]
}

/** A frame that is wrong in one way or another, or nearly. */
export function brokenFrame(dice: Dice): unknown {
  const spec = dice.pick(SPECS)
  const frame = declaredFrame(dice, spec)
  const at = 1 + dice.below(frame.length)
  const field = spec.fields[at - 1]
  switch (dice.below(9)) {
    case 0:
      return frame.slice(0, at)
    case 1:
      return [dice.chance(0.5) ? dice.pick(TYPES) : dice.below(300), ...frame.slice(1)]
    case 2:
      return frame.toReversed()
    case 3:
      return dice.pick([{ ...frame }, null, 1, 'text', [], [[frame]], [anyValue(dice)]])
    case 4:
      return [...frame, anyValue(dice)]
    case 5:
      return frame.with(dice.below(frame.length), anyValue(dice))
    case 6:
      return [anyValue(dice), ...frame.slice(1)]
    default:
      return field === undefined ? frame : frame.with(at, element(dice, field, false))
  }
}
