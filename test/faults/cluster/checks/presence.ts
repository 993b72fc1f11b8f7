/** What each member saw of who is there: right in the end, and nobody who is gone for longer than the bound. PROTOCOL.md § Presence. */
import type { Seen } from '../lines.js'
import type { Complain, Rules } from './rules.js'
import type { Run } from './run.js'

/** What there should be of a user in the end. */
interface Truth {
  connections: number
  state: number | undefined
}

/** Looks at every member's view of every hall. */
export function checkPresence({ lines, feeds }: Run, rules: Rules, complain: Complain): void {
  const shown = new Map<string, number>()
  const views = new Map<string, { readonly t: number; readonly members: readonly Seen[] }[]>()
  for (const line of lines) {
    if (line.type === 'shows') shown.set(`${line.who} ${line.room}`, line.state)
    if (line.type === 'sees') {
      const key = `${line.who} ${line.room}`
      const list = views.get(key) ?? []
      views.set(key, list)
      list.push(line)
    }
  }
  // Those who lost no connection.
  const steady = new Set(feeds.map(({ who }) => who))
  for (const line of lines) {
    const isFirst = line.type === 'connection' && line.state === 'connecting' && line.code === undefined
    if (line.type === 'connection' && line.state !== 'open' && !isFirst) steady.delete(line.who)
  }
  const here = feeds.filter(({ user, hasLeft, isPending }) => user !== undefined && !hasLeft && !isPending)
  const truth = new Map<string, Map<string, Truth>>()
  for (const { who, room, user = '' } of here) {
    const users = truth.get(room) ?? new Map<string, Truth>()
    truth.set(room, users)
    const one = users.get(user) ?? { connections: 0, state: undefined }
    users.set(user, { connections: one.connections + 1, state: shown.get(`${who} ${room}`) ?? one.state })
  }
  for (const { who, room } of here) {
    const list = views.get(`${who} ${room}`) ?? []
    checkEnd(`${who} in ${room}`, list.at(-1)?.members ?? [], truth.get(room) ?? new Map(), rules, complain)
    const stayers = here.filter((other) => other.room === room && steady.has(other.who))
    for (const user of new Set(stayers.map(({ user = '' }) => user))) {
      const ms = outOfSight(user, list, lines.at(-1)?.t ?? 0)
      if (ms > rules.flickers)
        complain('flicker', `${who} in ${room} lost sight of ${user}, who was there, for ${ms.toFixed(0)} ms`)
    }
    for (const line of lines) {
      if (line.type !== 'gone' || line.room !== room) continue
      const until = line.t + line.within
      // What was seen at that moment counts as well.
      const first = list.findLastIndex(({ t }) => t <= until)
      const late = list
        .slice(Math.max(0, first))
        .findLast(({ members }) => members.some(([user]) => user === line.user))
      if (late === undefined) continue
      const next = list[list.indexOf(late) + 1]
      const after = next === undefined ? 'never stopped' : `stopped ${(next.t - line.t).toFixed(0)} ms later`
      complain(
        'ghost',
        `${who} in ${room} saw ${line.user}, who had gone, and ${after}: ${line.within} ms are right`,
      )
    }
  }
}

/** Milliseconds for which a user was out of sight, at the most, once they had been seen. */
function outOfSight(
  user: string,
  views: readonly { readonly t: number; readonly members: readonly Seen[] }[],
  end: number,
): number {
  let since: number | undefined
  let most = 0
  let wasSeen = false
  for (const { t, members } of views) {
    const isSeen = members.some(([name]) => name === user)
    if (isSeen && since !== undefined) most = Math.max(most, t - since)
    if (isSeen) since = undefined
    else if (wasSeen) since ??= t
    wasSeen ||= isSeen
  }
  return since === undefined ? most : Math.max(most, end - since)
}

function checkEnd(
  where: string,
  seen: readonly Seen[],
  truth: ReadonlyMap<string, Truth>,
  rules: Rules,
  complain: Complain,
): void {
  for (const [user, state, connections] of seen) {
    const right = truth.get(user)
    if (right === undefined) complain('ghost', `${where} sees ${user} in the end, who is not there`)
    else if (right.state !== undefined && right.state !== state)
      complain('state', `${where} sees ${user} with ${state} in the end, who shows ${right.state}`)
    else if (rules.counts && right.connections !== connections)
      complain(
        'counts',
        `${where} sees ${user} ${connections} times in the end, who is there ${right.connections} times`,
      )
  }
  for (const user of truth.keys())
    if (!seen.some(([name]) => name === user)) complain('absent', `${where} does not see ${user} in the end`)
}
