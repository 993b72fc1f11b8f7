/** One room, joined once however many handles hold it, and joined again after each loss. PROTOCOL.md § Rooms. */
import { createAlarm } from './alarm.js'
import { delayOf } from './backoff.js'
import type { Answer, Channel } from './channel.js'
import type { Link, RoomFrame } from './connection.js'
import { type Failed, failed, refused } from './errors.js'
import { type Audience, createFeed } from './feed.js'
import type { Listeners } from './listeners.js'
import type { PresenceParts, Roster } from './presence.js'
import type { Settings } from './settings.js'
import { isClosed, isFinal, type State, whyClosed } from './state.js'
import type { Joined, JoinOptions, LeftReason } from './types.js'

/** A handle, as a membership sees it. */
export interface Holder extends Audience {
  readonly left: Listeners<[reason: LeftReason]>
  /** The membership moved on. */
  changed(): void
  /** Others came, went or show something else. */
  rosterChanged?(): void
  /** It is held no longer. */
  released(): void
}

/** A room of this client, for as long as a handle holds it. */
export interface Membership {
  readonly joined: boolean
  /** Of a room with presence. */
  readonly roster: Roster | undefined
  /** `resolve` gets the answer to the JOIN under way; at once where that has come. */
  hold(holder: Holder, resolve?: (joined: Joined) => void): void
  leave(holder: Holder): void
  /** Sends its JOIN; false where the connection has no room for it, nor for any after it. */
  flush(): boolean
  /** What it was `UNAVAILABLE` for may be back: sends its JOIN now if it waits for that. */
  retry(): void
  receive(frame: RoomFrame): void
  down(state: State, channel: Channel): void
}

/** Where the client keeps a membership. */
export interface Registry {
  /** It is in, under the server's key. */
  joined(key: string): void
  /** It has a JOIN to send once more. On the next connection it has by itself. */
  due(): void
  /** Nobody holds it any more. */
  gone(): void
}

/** Which room, and how it is joined first. */
export interface Wish {
  readonly room: string
  readonly params: Record<string, unknown>
  readonly options: JoinOptions
  readonly presence?: PresenceParts | undefined
  /** No answer ends it: what is refused for good, or ended by the server, is asked for again on the next connection. */
  readonly lasting?: boolean
}

/** So long without a hole or a fork, and the next one is the first: it costs no wait. In ms. */
const CALM_MS = 10_000

/** Not joined, with a JOIN to send. */
export function createMembership(
  link: Link,
  settings: Settings,
  { room, params, options, presence, lasting = false }: Wish,
  registry: Registry,
): Membership {
  const { clock, random, rules, timeout, report } = settings
  // The inbox has none.
  const name = room || 'inbox'
  let { last } = options
  const holders = new Map<Holder, ((joined: Joined) => void) | undefined>()
  const feed = createFeed(holders, options.since)
  const alarm = createAlarm(clock)
  let joined = false
  // Where the last JOIN was sent, and its seq there; 0 before it.
  let home = link.channel
  let seq = 0
  const roster = presence?.createRoster(
    name,
    settings,
    () => [home, seq],
    () => {
      for (const holder of holders.keys()) holder.rosterChanged?.()
    },
  )
  // Joined before: to be refused now is news, not an answer.
  let known = lasting
  let refusals = 0
  // Whether it waits because the server could not.
  let held = false
  // Holes and forks in a row, and when the last one was.
  let breaks = 0
  let broken = 0

  function leave(): void {
    if (seq) home.send([7, seq])
    seq = 0
  }

  function out(): void {
    alarm.stop()
    joined = false
    for (const holder of holders.keys()) holder.changed()
  }

  function rejoin(): void {
    leave()
    out()
    registry.due()
  }

  /** The feed does not go on from here: it is taken up at its position. A server that breaks it each time is not asked without end. */
  function takeUp(): void {
    const now = clock.now()
    if (now - broken > CALM_MS) breaks = 0
    broken = now
    leave()
    out()
    if (breaks) alarm.set(delayOf(rules, breaks - 1, random()), registry.due)
    else registry.due()
    breaks++
  }

  function release(released: readonly Holder[], answer: Joined, why?: LeftReason): void {
    const waiting = released.map((holder) => holders.get(holder))
    for (const holder of released) {
      holders.delete(holder)
      holder.released()
    }
    if (holders.size === 0) {
      leave()
      out()
      registry.gone()
    }
    // Last: listeners may join again.
    released.forEach((holder, i) => {
      const resolve = waiting[i]
      if (resolve) resolve(answer)
      else if (why) holder.left.emit(why)
    })
  }

  function refuse(answer: Failed): void {
    const { code, retry, retryAfter } = answer.error
    // No answer yet, as where there is no connection.
    held = code === 'UNAVAILABLE'
    if (held || (known && retry)) alarm.set(retryAfter ?? delayOf(rules, refusals++, random()), rejoin)
    else if (lasting) report(answer.error)
    else release([...holders.keys()], answer, 'refused')
  }

  function answered(answer: Answer): void {
    alarm.stop()
    if (answer[0] === 19) {
      seq = 0
      // It was in until it moved to another connection.
      if (joined) out()
      refuse(refused(name, answer))
    } else if (answer[0] === 22) {
      joined = known = true
      refusals = 0
      last = undefined
      registry.joined(answer[2])
      roster?.joined(answer[6])
      const result = feed.joined(answer)
      for (const [holder, resolve] of holders) {
        holders.set(holder, undefined)
        holder.changed()
        resolve?.(result)
      }
    }
  }

  function flush(): boolean {
    const { channel } = link
    const { position } = feed
    const at = position && ([position.epoch, position.offset, position.tag] as const)
    const given = channel.request(
      (seq) => [6, seq, room, params, at ?? null, last ?? null],
      (answer) => {
        if (home === channel && answer[1] === seq) answered(answer)
      },
    )
    if (given === 0) return false
    home = channel
    held = false
    seq = Math.max(0, given)
    if (given < 0) refuse(failed(name, 'TOO_LARGE'))
    else alarm.set(timeout, () => refuse(failed(name, 'TIMEOUT')))
    roster?.joining()
    return true
  }

  return {
    get joined() {
      return joined
    },
    roster,
    hold(holder, resolve) {
      holders.set(holder, joined ? undefined : resolve)
      if (joined) resolve?.({ ok: true, position: feed.position, recovered: 0, gap: undefined })
    },
    leave: (holder) => release([holder], failed(name, 'CANCELLED')),
    flush,
    retry() {
      if (!held) return
      refusals = 0
      rejoin()
    },
    receive(frame) {
      if (!joined) return
      switch (frame[0]) {
        case 22:
          // The log goes on elsewhere, after a gap.
          if (frame[1] === seq) answered(frame)
          break
        case 23:
          if (!feed.receive(frame)) takeUp()
          break
        case 24:
          roster?.receive(frame)
          break
        case 27:
          seq = 0
          if (lasting) out()
          else release([...holders.keys()], failed(name, 'CLOSED'), frame[2] as LeftReason)
      }
    },
    down(state, channel) {
      // At home on another one, whatever it waits for there.
      if (home !== channel && (seq || home === link.channel)) return
      seq = 0
      out()
      if (!isClosed(state)) return
      // Whoever still waits is told. Those that were in come back after `connect()`, unless this is for good.
      const told = [...holders.keys()].filter((holder) => isFinal(state) || holders.get(holder))
      release(told, failed(name, whyClosed(state)))
    },
  }
}
