/** A run as it should be, and small: two members of a hall on two nodes, their inboxes, one who goes, and a gap where the log was lost. */
import type { Position } from '../../../client/index.js'
import { chained } from './checks/feeds.js'
import type { Entry, Line } from './lines.js'

/** The lines in order, 1 ms apart unless `wait` says more. */
export class LogWriter {
  readonly lines: Line[] = []
  #t = 1000

  write(who: string, entry: Entry): void {
    this.lines.push({ t: ++this.#t, who, ...entry })
  }

  wait(ms: number): void {
    this.#t += ms
  }
}

/** A log that grows by publications, as a server keeps it. */
class Room {
  #position: Position

  constructor(epoch: string) {
    this.#position = { epoch, offset: 0, tag: 0 }
  }

  get position(): Position {
    return this.#position
  }

  /** Another one that goes on from here. */
  fork(): Room {
    const copy = new Room(this.#position.epoch)
    copy.#position = this.#position
    return copy
  }

  add(id: string): Position {
    const { epoch, offset, tag } = this.#position
    this.#position = { epoch, offset: offset + 1, tag: chained(tag, id) }
    return this.#position
  }
}

const HALL = 'all'
const MEMBERS = ['ann', 'bob']

/** The members of the hall; a client is named as its user. */
export function goodLog(): Line[] {
  const log = new LogWriter()
  let hall = new Room('one')
  const inbox = new Room('own')
  const users = (...names: string[]) => names.map((user) => [user, user === 'eve' ? null : 7, 1] as const)
  const sees = (...names: string[]): void => {
    for (const who of MEMBERS) log.write(who, { type: 'sees', room: HALL, members: users(...names) })
  }
  const say = (id: string, { toAll = true } = {}): void => {
    log.write('ann', { type: 'call', id, delivery: 'recoverable', room: HALL })
    const position = hall.add(id)
    for (const who of toAll ? MEMBERS : []) log.write(who, { type: 'event', room: HALL, id, position })
    log.write('ann', { type: 'acked', id, tries: 1, position })
  }
  const set = (value: number): void => {
    const id = `v${value}`
    log.write('bob', { type: 'call', id, delivery: 'latest', room: HALL, key: 'bob', value })
    for (const who of MEMBERS) log.write(who, { type: 'event', room: HALL, id, key: 'bob', value })
    log.write('bob', { type: 'acked', id, tries: 1 })
  }
  for (const who of [...MEMBERS, 'eve']) {
    log.write(who, { type: 'connection', state: 'open', degraded: false })
    log.write(who, { type: 'join', room: HALL, user: who })
    log.write(who, { type: 'joined', room: HALL, position: hall.position })
  }
  for (const who of MEMBERS) log.write(who, { type: 'shows', room: HALL, state: 7 })
  sees('ann', 'bob', 'eve')
  for (const n of [1, 2]) say(`a${n}`)

  log.write('', { type: 'fault', what: 'FLUSHALL' })
  // In no log that anybody is told of.
  say('lost', { toAll: false })
  hall = new Room('two')
  say('early', { toAll: false })
  for (const who of MEMBERS) log.write(who, { type: 'gap', room: HALL, reason: 'epoch' })
  for (const n of [3, 4, 5]) say(`a${n}`)
  set(1)
  for (const who of MEMBERS) log.write(who, { type: 'event', room: HALL, id: 'w1' })
  for (const id of ['n1', 'n2']) {
    log.write('bob', { type: 'call', id, delivery: 'recoverable', room: '@ann' })
    const position = inbox.add(id)
    log.write('bob', { type: 'acked', id, tries: 1, position })
    log.write('ann', { type: 'event', room: '@ann', id, position })
  }
  log.write('ann', { type: 'call', id: 'e1', delivery: 'none', room: '' })
  log.write('ann', { type: 'failed', id: 'e1', code: 'TIMEOUT' })

  // She goes, and her connection with her.
  log.write('eve', { type: 'left', room: HALL, reason: 'closed' })
  log.write('', { type: 'gone', room: HALL, user: 'eve', within: 1000 })
  log.wait(500)
  sees('ann', 'bob')
  log.wait(2000)
  say('a6')
  set(2)

  log.write('', { type: 'quiet', ms: 5, isEven: true })
  log.write('', { type: 'end' })
  return log.lines
}

/** A log of one hall that was truncated: what came last is gone for all but two of three members, who had heard it. */
export function forkedLog(): Line[] {
  const log = new LogWriter()
  const hall = new Room('one')
  const members = ['ann', 'bob', 'cid']
  const say = (id: string, hears: readonly string[], to: Room): void => {
    log.write('ann', { type: 'call', id, delivery: 'recoverable', room: HALL })
    const position = to.add(id)
    for (const who of hears) log.write(who, { type: 'event', room: HALL, id, position })
    log.write('ann', { type: 'acked', id, tries: 1, position })
  }
  for (const who of members) {
    log.write(who, { type: 'connection', state: 'open', degraded: false })
    log.write(who, { type: 'join', room: HALL, user: who })
    log.write(who, { type: 'joined', room: HALL, position: hall.position })
    log.write(who, { type: 'sees', room: HALL, members: members.map((user) => [user, null, 1] as const) })
  }
  for (const n of [1, 2]) say(`a${n}`, members, hall)
  const replica = hall.fork()
  for (const n of [3, 4, 5]) say(`old${n}`, ['ann', 'bob'], hall)
  // While the others are told, one who stood before the fork goes on.
  say('new3', ['cid'], replica)
  for (const who of ['ann', 'bob']) log.write(who, { type: 'gap', room: HALL, reason: 'forked' })
  say('new4', members, replica)
  log.write('', { type: 'end' })
  return log.lines
}
