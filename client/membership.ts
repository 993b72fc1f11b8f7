/** One room, joined once however many handles hold it, and joined again after each loss. PROTOCOL.md § Rooms. */
import type { FrameOf } from '../contract/wire/frames.js'
import { createAlarm } from './alarm.js'
import { delayOf } from './backoff.js'
import type { Answer, Channel } from './channel.js'
import type { Link } from './connection.js'
import { type Failed, failed, refused } from './errors.js'
import { type Audience, createFeed } from './feed.js'
import type { Listeners } from './listeners.js'
import type { Settings } from './settings.js'
import { isClosed, isFinal, type State, whyClosed } from './state.js'
import type { Joined, JoinOptions, LeftReason } from './types.js'

/** A handle, as a membership sees it. */
export interface Holder extends Audience {
  readonly left: Listeners<[reason: LeftReason]>
  /** The membership moved on. */
  changed(): void
  /** It is held no longer. */
  released(): void
}

/** A room of this client, for as long as a handle holds it. */
export interface Membership {
  readonly joined: boolean
  /** `resolve` gets the answer to the JOIN under way; at once where that has come. */
  hold(holder: Holder, resolve: (joined: Joined) => void): void
  leave(holder: Holder): void
  /** Sends its JOIN; false where the connection has no room for it, nor for any after it. */
  flush(): boolean
  receive(frame: FrameOf<'PUBLICATION' | 'LEFT'>): void
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

/** Not joined, with a JOIN to send. */
export function createMembership(
  link: Link,
  { clock, random, rules, timeout }: Settings,
  room: string,
  params: Record<string, unknown>,
  { since, last }: JoinOptions,
  registry: Registry,
): Membership {
  const holders = new Map<Holder, ((joined: Joined) => void) | undefined>()
  const feed = createFeed(holders, since)
  const alarm = createAlarm(clock)
  let joined = false
  // Where the last JOIN was sent, and its seq there; 0 before it.
  let home = link.channel
  let seq = 0
  // Joined before: to be refused now is news, not an answer.
  let known = false
  let refusals = 0

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
    const { retry, retryAfter } = answer.error
    if (known && retry) alarm.set(retryAfter ?? delayOf(rules, refusals++, random()), rejoin)
    else release([...holders.keys()], answer, 'refused')
  }

  function answered(answer: Answer): void {
    alarm.stop()
    if (answer[0] === 19) {
      seq = 0
      // It was in until it moved to another connection.
      if (joined) out()
      refuse(refused(room, answer))
    } else if (answer[0] === 22) {
      joined = known = true
      refusals = 0
      last = undefined
      registry.joined(answer[2])
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
    seq = Math.max(0, given)
    if (given < 0) refuse(failed(room, 'TOO_LARGE'))
    else alarm.set(timeout, () => refuse(failed(room, 'TIMEOUT')))
    return true
  }

  return {
    get joined() {
      return joined
    },
    hold(holder, resolve) {
      holders.set(holder, joined ? undefined : resolve)
      if (joined) resolve({ ok: true, position: feed.position, recovered: 0, gap: undefined })
    },
    leave: (holder) => release([holder], failed(room, 'CANCELLED')),
    flush,
    receive(frame) {
      if (!joined) return
      if (frame[0] === 23) {
        if (!feed.receive(frame)) rejoin()
        return
      }
      seq = 0
      release([...holders.keys()], failed(room, 'CLOSED'), frame[2] as LeftReason)
    },
    down(state, channel) {
      // At home on another one, whatever it waits for there.
      if (home !== channel && (seq || home === link.channel)) return
      seq = 0
      out()
      if (!isClosed(state)) return
      // Whoever still waits is told. Those that were in come back after `connect()`, unless this is for good.
      const told = [...holders.keys()].filter((holder) => isFinal(state) || holders.get(holder))
      release(told, failed(room, whyClosed(state)))
    },
  }
}
