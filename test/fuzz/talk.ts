/** Conversations on a connection that is open: those that keep to the protocol, and those that do not. */
import { CLIENT_FRAMES } from '../../contract/wire/index.js'
import { OPCODE, upgradeRequest, wsFrame } from '../support/raw-bytes.js'
import type { Case } from './case.js'
import { SPOKEN, type Spoken } from './codecs.js'
import { contract } from './contract.js'
import { brokenFrame, declaredFrame } from './frames.js'
import { fitting, roomParams } from './inputs.js'
import { brokenBytes, mutated } from './octets.js'
import { dial, type Peer } from './peer.js'
import { mildValue } from './values.js'

const { HELLO, CALL, CANCEL, CREDIT, ANSWER, JOIN, LEAVE, TOKEN, BEAT } = CLIENT_FRAMES
const CALLS = Object.keys(contract.calls)
/** What `end` is told so that the connection stays. */
const STAY = 4

/** A connection with its upgrade written, not awaited. */
async function enter(run: Case, spoken: Spoken): Promise<Peer> {
  const peer = await dial(run.port, spoken, run.fault)
  peer.write(
    upgradeRequest(`ws://127.0.0.1:${run.port}/live`, { 'sec-websocket-protocol': spoken.subprotocol }),
  )
  return peer
}

const hello = (run: Case, features: readonly string[], token = `user-${run.number % 50}`): unknown[] => [
  HELLO.type,
  `session-${run.number}`,
  contract.hash,
  contract.version,
  features,
  token,
]

/** One message as the bytes of its frames: whole, or in fragments. */
function message(run: Case, spoken: Spoken, payload: Uint8Array): Buffer {
  const opcode = spoken.binary ? OPCODE.binary : OPCODE.text
  if (!run.dice.chance(0.05) || payload.length < 2) return wsFrame({ opcode, payload })
  const at = 1 + run.dice.below(payload.length - 1)
  return Buffer.concat([
    wsFrame({ opcode, fin: false, payload: payload.subarray(0, at) }),
    ...(run.dice.chance(0.3) ? [wsFrame({ opcode: OPCODE.ping, payload: 'between' })] : []),
    wsFrame({ opcode: OPCODE.continuation, payload: payload.subarray(at) }),
  ])
}

/** Writes in pieces that are not those of the frames. */
function write(run: Case, peer: Peer, parts: readonly Buffer[]): void {
  const bytes = Buffer.concat(parts)
  peer.writeCut(bytes, run.dice.below(bytes.length + 1))
}

async function end(run: Case, peer: Peer): Promise<void> {
  const how = run.dice.below(20)
  if (how === 0) peer.abort(true)
  else if (how === 1) peer.abort()
  else if (how === 2) peer.finish()
  else peer.close(run.dice.pick([1000, 1001, 4004, 4999, 3000]))
  await peer.until(() => false, 'the end of the connection')
}

/** Keeps to the protocol: every call and join gets its answer, and the connection stays until we close it. */
export async function politeTalk(run: Case): Promise<void> {
  const { dice } = run
  const spoken = dice.pick(SPOKEN)
  const peer = await enter(run, spoken)
  const streams = new Set<number>()
  const say = (frame: unknown[]): Buffer => {
    peer.oracle.sent(frame)
    return message(run, spoken, spoken.write(run.note(frame)))
  }
  peer.onAsk = (ask) => {
    const value = dice.chance(0.6) ? { accepted: true } : mildValue(dice)
    const answer = [ANSWER.type, ask, value, ...(dice.chance(0.2) ? ['FAILED'] : [])]
    if (!dice.chance(0.1)) peer.write(say(answer))
  }
  const call = (seq: number, name: string): unknown[] => {
    const input = name === 'end' ? { how: STAY } : dice.chance(0.8) ? fitting(dice, name) : mildValue(dice)
    const deadline = dice.chance(0.1) ? dice.pick([0, 1, 5, 1000, 2 ** 40]) : null
    const operation = dice.chance(0.1) ? [`producer-${run.number}`, seq, 1, false] : null
    return [CALL.type, seq, name, input, deadline, operation]
  }
  let seq = 0
  const next = (): Buffer[] => {
    const kind = dice.below(20)
    const old = 1 + dice.below(seq + 3)
    if (kind < 10) {
      const name = dice.chance(0.95) ? dice.pick(CALLS) : dice.pick(['nothing', '__proto__', 'toString', ''])
      const frame = call(++seq, name)
      if (name === 'count') streams.add(seq)
      const said = say(frame)
      if (name === 'nudge') peer.oracle.unanswered(seq)
      return [
        said,
        ...(name === 'count' && dice.chance(0.8) ? [say([CREDIT.type, seq, 1 + dice.below(60)])] : []),
      ]
    }
    if (kind < 13) {
      const name = dice.chance(0.9) ? 'channel' : dice.pick(['closed', 'nothing'])
      const params = dice.chance(0.9) ? roomParams(dice) : { id: 5 }
      const since = dice.chance(0.3) ? ['epoch', dice.below(5), dice.below(5)] : null
      return [say([JOIN.type, ++seq, name, params, since, dice.chance(0.2) ? dice.below(60) : null])]
    }
    if (kind === 13) return [say([LEAVE.type, old])]
    if (kind === 14) return [say([CANCEL.type, old])]
    if (kind === 15)
      return [say([CREDIT.type, dice.chance(0.5) ? old : 1000, dice.pick([1, 65_536, 2 ** 53 - 1])])]
    if (kind === 16) return [say([TOKEN.type, `user-${run.number % 50}`])]
    if (kind === 17) return [say([64 + dice.below(32), mildValue(dice)])]
    if (kind === 18)
      return [
        wsFrame({ opcode: dice.pick([OPCODE.ping, OPCODE.pong]), payload: dice.bytes(dice.below(126)) }),
      ]
    return [say([BEAT.type])]
  }
  const opening = say(hello(run, ['token', ...(dice.chance(0.5) ? ['goaway', 'other'] : [])]))
  // The first flight right behind HELLO, or only after WELCOME.
  if (dice.chance(0.5)) write(run, peer, [opening])
  else write(run, peer, [opening, say(call(++seq, 'echo'))])
  await peer.until(() => peer.oracle.welcomed, 'WELCOME')
  for (let turns = 1 + dice.below(5); turns > 0 && !peer.ended; turns--) {
    write(run, peer, Array.from({ length: 1 + dice.below(25) }, next).flat())
    await peer.until(() => peer.oracle.owed.size < 20 || peer.oracle.owed.size <= streams.size, 'answers')
  }
  write(
    run,
    peer,
    [...streams].map((stream) => say([CANCEL.type, stream])),
  )
  await peer.until(() => peer.oracle.owed.size === 0, 'the last answers')
  if (peer.ended || peer.code !== undefined) run.fault(`closed with ${peer.code ?? 'nothing'} for nothing`)
  else await end(run, peer)
  run.closed(peer)
}

/** Whatever frames, in whatever order: the server answers or closes, and the connection ends. */
export async function wildTalk(run: Case): Promise<void> {
  const { dice } = run
  const spoken = dice.pick(SPOKEN)
  const peer = await enter(run, spoken)
  const messages: Buffer[] = []
  // Longer talks get further with little that is broken.
  const broken = dice.pick([0, 0, 0.02, 0.3])
  const changed = dice.pick([0, 0, 0.02, 0.2])
  const say = (frame: unknown): void => {
    const payload = spoken.write(run.note(frame))
    const bytes = dice.chance(changed) ? mutated(dice, spoken.binary, payload) : payload
    // What was changed may ask something else, or nothing.
    peer.oracle.sent(bytes === payload ? frame : spoken.read(Buffer.from(bytes)))
    messages.push(message(run, spoken, bytes))
  }
  const token = (): string =>
    dice.chance(0.7)
      ? 'user-a'
      : dice.pick(['user-b', 'bad', '', 'for-0-user-a', 'for-30-user-a', 'x'.repeat(16_384)])
  const greets = dice.chance(0.95)
  const [features, user] = [dice.pick([[], ['token'], ['token', 'goaway', 'once']]), token()]
  if (greets) {
    const greeting = hello(run, features, user)
    // Now and then a session that somebody else has, too.
    say(dice.chance(0.1) ? greeting.with(1, `shared-${dice.below(3)}`) : greeting)
  }
  // Where HELLO was changed, no WELCOME may come.
  if (greets && changed === 0 && dice.chance(0.7)) {
    write(run, peer, messages.splice(0))
    await peer.until(() => peer.oracle.welcomed, 'WELCOME')
  }
  const seqs = dice.pick([5, 1000])
  for (let n = 1 + dice.below(40); n > 0; n--) {
    if (dice.chance(broken)) say(brokenFrame(dice))
    else if (dice.chance(0.02)) say(declaredFrame(dice))
    else if (dice.chance(0.1)) say([TOKEN.type, token()])
    else if (dice.chance(0.5)) say(declaredFrame(dice, dice.pick([CALL, CANCEL, CREDIT, JOIN, LEAVE, BEAT])))
    else {
      const name = dice.pick(CALLS)
      say([CALL.type, 1 + dice.below(seqs), name, fitting(dice, name)])
    }
  }
  if (dice.chance(0.1)) messages.push(wsFrame({ opcode: dice.below(16), payload: 'other' }))
  write(run, peer, messages)
  // Once all of it was read; otherwise Close may overtake what is held for authentication.
  if (dice.chance(0.8)) await peer.pong()
  // Who cannot bring a fresh token is ended with the old one.
  if (peer.oracle.welcomed && user.startsWith('for-') && features.length === 0)
    await peer.until(() => false, 'the end of the token')
  await end(run, peer)
  run.closed(peer)
}

/** Bytes behind the 101 that are no frames, or none that anybody may send. */
export async function byteTalk(run: Case): Promise<void> {
  const { dice } = run
  const spoken = dice.pick(SPOKEN)
  const peer = await enter(run, spoken)
  const greeting = hello(run, [])
  if (dice.chance(0.7)) write(run, peer, [message(run, spoken, spoken.write(greeting))])
  await peer.until(() => peer.answers.length > 0, 'the 101')
  write(run, peer, brokenBytes(run, peer, spoken))
  // No Close would be read inside of a frame that never ends.
  peer.finish()
  await peer.until(() => false, 'the end of the connection')
  run.closed(peer)
}
