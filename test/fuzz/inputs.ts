/** Inputs that fit the contract. */
import type { contract } from './contract.js'
import type { Dice } from './dice.js'
import { mildValue } from './values.js'

/** Params of the room `channel`; few, so that peers meet. */
export const roomParams = (dice: Dice): { id: string } => ({ id: `room-${dice.below(8)}` })
const said = (dice: Dice) => ({ n: dice.below(20), text: 'x'.repeat(dice.pick([0, 1, 10, 500])) })

type Inputs = { readonly [K in keyof typeof contract.calls]: (dice: Dice) => unknown }

const INPUTS: Inputs = {
  echo: (dice) => ({ text: dice.pick(['', 'hi', 'ä€😀', 'x'.repeat(1000), '__proto__', '\u0000']) }),
  'group.keep': said,
  'group.add': said,
  nudge: said,
  later: (dice) => ({ ms: dice.below(21) }),
  refuse: (dice) => ({ ounces: dice.below(100) }),
  bytes: (dice) => ({ bytes: dice.bytes(dice.below(100)) }),
  count: (dice) => ({ to: dice.below(51), fails: dice.chance(0.2) }),
  limited: () => ({}),
  say: (dice) => ({ room: roomParams(dice), said: said(dice), how: dice.below(7) - 3 }),
  evict: roomParams,
  takeIn: roomParams,
  askBack: (dice) => ({ id: String(dice.below(1000)) }),
  end: (dice) => ({ how: dice.below(5) }),
}

/** An input that fits a call; bytes are a Uint8Array. For a name that no call has, anything. */
export const fitting = (dice: Dice, name: string): unknown =>
  isCall(name) ? INPUTS[name](dice) : mildValue(dice)

const isCall = (name: string): name is keyof Inputs => Object.hasOwn(INPUTS, name)
