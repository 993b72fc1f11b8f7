import { describe, expect, it } from 'vitest'
import {
  BrokerError,
  type History,
  type Outgoing,
  type Position,
  RECOVERY_BYTES,
  RECOVERY_MESSAGES,
} from '../../plugins/rooms/broker.js'
import { FIRST_TAG, Log, nextTag } from '../../plugins/rooms/memory/log.js'

const HISTORY: History = { messages: 100, seconds: 60, bytes: 1000 }
const posted = (payload: string, except?: string): Outgoing => ({
  event: 'posted',
  delivery: 'recoverable',
  payload,
  except,
})
const logOf = (history: Partial<History> = {}, epoch = 'epoch') => new Log({ ...HISTORY, ...history }, epoch)
const kept = (log: Log, now = 0) =>
  log.read({ last: RECOVERY_MESSAGES, session: 's' }, now).publications.map(({ payload }) => payload)

describe('the tag chain', () => {
  it('is the first 48 bits of sha1 over the previous tag and the publish id', () => {
    // printf '0:first' | sha1sum | cut -c1-12
    expect(nextTag(FIRST_TAG, 'first')).toBe(0xe07e31a2aa56)
    // printf '246832603245142:second' | sha1sum | cut -c1-12
    expect(nextTag(0xe07e31a2aa56, 'second')).toBe(0x28ff92cbe3fa)
    expect(nextTag(FIRST_TAG, 'żółć 🚀')).toBe(0xf08c098c8300)
  })

  it('stays apart after a fork, although the same publications follow', () => {
    const ours = logOf()
    const theirs = logOf()
    for (const id of ['a', 'b']) for (const log of [ours, theirs]) log.append(posted('1'), id, 0)
    ours.append(posted('1'), 'c', 0)
    theirs.append(posted('1'), 'C', 0)
    const shared = ours.read({ last: 3, session: 's' }, 0).publications.slice(0, 2)
    for (const id of ['d', 'e']) for (const log of [ours, theirs]) log.append(posted('1'), id, 0)
    for (const { position } of ours.read({ last: 5, session: 's' }, 0).publications) {
      const common = (position?.offset ?? 0) <= shared.length
      expect(theirs.read({ since: position, session: 's' }, 0).gap).toBe(common ? undefined : 'forked')
    }
  })
})

describe('the log of a room', () => {
  it('starts at offset 0 and appends from 1', () => {
    const log = logOf()
    expect(log.head).toEqual({ epoch: 'epoch', offset: 0, tag: FIRST_TAG })
    const publication = log.append(posted('{"a":1}', 'session'), 'first', 0)
    expect(publication).toEqual({
      event: 'posted',
      delivery: 'recoverable',
      payload: '{"a":1}',
      except: 'session',
      position: { epoch: 'epoch', offset: 1, tag: nextTag(FIRST_TAG, 'first') },
    })
    expect(log.head).toEqual(publication.position)
  })

  it('keeps an entry for exactly its seconds', () => {
    const log = logOf({ seconds: 60 })
    log.append(posted('1'), 'a', 1000)
    expect(kept(log, 61_000)).toEqual(['1'])
    expect(kept(log, 61_001)).toEqual([])
    expect(log.size).toBe(0)
  })

  it('drops over-age entries when it appends and when it trims, not only when it is read', () => {
    const log = logOf({ seconds: 60 })
    for (const at of [0, 1, 2]) log.append(posted('1'), `a${at}`, at)
    log.append(posted('2'), 'b', 60_001)
    expect(log.size).toBe(3)
    log.trim(60_002)
    expect(log.size).toBe(2)
  })

  it('drops as many as a large payload needs, at once', () => {
    const log = logOf({ bytes: 10 })
    for (const n of [1, 2, 3, 4, 5]) log.append(posted(`${n}${n}`), `${n}`, 0)
    expect(kept(log)).toEqual(['11', '22', '33', '44', '55'])
    log.append(posted('7777777'), '7', 0)
    expect(kept(log)).toEqual(['55', '7777777'])
    log.append(posted('8888888888'), '8', 0)
    expect(kept(log)).toEqual(['8888888888'])
  })

  it('changes nothing when a payload is too large', () => {
    const log = logOf({ bytes: 10 })
    log.append(posted('1'), 'a', 0)
    const { head } = log
    expect(() => log.append(posted('éééééé'), 'b', 0)).toThrow(BrokerError)
    expect([log.head, log.size]).toEqual([head, 1])
    expect(kept(log)).toEqual(['1'])
  })

  it('counts bytes right after everything was trimmed', () => {
    const log = logOf({ bytes: 10, seconds: 1 })
    log.append(posted('1234567890'), 'a', 0)
    log.trim(5000)
    for (const n of [1, 2]) log.append(posted('12345'), `${n}`, 5000)
    expect(kept(log, 5000)).toEqual(['12345', '12345'])
  })

  it('agrees with a plain model in whatever order things happen', () => {
    for (let seed = 1; seed <= 40; seed++) compareWithModel(seed)
  })
})

/** mulberry32: a small generator with a seed, so that a failure repeats. */
function generator(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

/** Random appends, waits and reads against a list of all that was ever appended. */
function compareWithModel(seed: number): void {
  const pick = generator(seed)
  const history: History = { messages: 1 + pick(12), seconds: 1 + pick(5), bytes: 20 + pick(60) }
  const log = new Log(history, 'epoch')
  const all: Array<{ offset: number; bytes: number; at: number; except: string; position: Position }> = []
  const positions: Position[] = [log.head]
  let now = 0

  const keptFrom = (): number => {
    // The bounds of number and bytes hold at every append; age goes on.
    let first = all.length
    let bytes = 0
    while (first > 0) {
      const entry = all[first - 1]
      if (entry === undefined || all.length - first === history.messages) break
      if (bytes + entry.bytes > history.bytes || entry.at < now - history.seconds * 1000) break
      bytes += entry.bytes
      first -= 1
    }
    return first
  }

  for (let step = 0; step < 150; step++) {
    const action = pick(10)
    if (action < 5) {
      const bytes = 1 + pick(20)
      const except = pick(3) === 0 ? 'me' : 'you'
      const { position } = log.append(posted('x'.repeat(bytes), except), `id-${seed}-${step}`, now)
      if (position === undefined) throw new Error('no position')
      all.push({ offset: position.offset, bytes, at: now, except, position })
      positions.push(position)
    } else if (action < 7) {
      now += pick(1500)
    } else {
      const given = positions[pick(positions.length)] ?? log.head
      const forged = pick(4) === 0
      const since = forged ? { ...given, tag: given.tag + 1 } : given
      const first = keptFrom()
      const gap = since.offset < first ? 'trimmed' : forged ? 'forked' : undefined
      const missed = all.slice(since.offset).filter(({ except }) => except !== 'me')
      const read = log.read({ since, session: 'me' }, now)
      const context = { seed, step, since, first }
      expect({ ...context, gap: read.gap }).toEqual({ ...context, gap })
      expect(read.publications.map(({ position }) => position)).toEqual(
        gap === undefined ? missed.map(({ position }) => position) : [],
      )
      expect(log.size).toBe(all.length - first)
    }
  }
  expect(all.length).toBeLessThan(RECOVERY_MESSAGES)
  expect(history.bytes).toBeLessThan(RECOVERY_BYTES)
}
