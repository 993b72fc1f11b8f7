/** That everything came to an end: calls, joins, connections, current values. */
import type { Complain } from './rules.js'
import type { Made, Run } from './run.js'

/** Each call was answered once, each join led into its room, and nobody is left without a connection. */
export function checkSettled({ lines, made, feeds }: Run, complain: Complain): void {
  const answers = new Map<string, number>()
  const connections = new Map<string, string>()
  const gone = new Set<string>()
  for (const line of lines) {
    if (line.type === 'acked' || line.type === 'failed') answers.set(line.id, (answers.get(line.id) ?? 0) + 1)
    else if (line.type === 'connection')
      connections.set(line.who, line.degraded ? `${line.state}, degraded` : line.state)
    else if (line.type === 'quiet' && !line.isEven)
      complain('late', `${line.ms} ms after the last call some had not heard what others had`)
    else if (line.type === 'left' && line.reason === 'closed') gone.add(line.who)
  }
  if (lines.at(-1)?.type !== 'end') complain('unsettled', 'the run has no end')
  for (const { call } of made) {
    const count = answers.get(call.id) ?? 0
    if (count === 0) complain('unsettled', `${call.id} was never answered`)
    if (count > 1) complain('twice', `${call.id} was answered ${count} times`)
  }
  for (const { who, room, isPending } of feeds)
    if (isPending) complain('unsettled', `${who} never came into ${room}`)
  for (const [who, state] of connections)
    if (state !== 'open' && !gone.has(who)) complain('away', `${who} is ${state} in the end`)
}

/** In the end everybody has the value that was acked last, or one that was tried to be set since. */
export function checkLatest({ made, feeds }: Run, complain: Complain): void {
  const sets = made.filter(({ call }) => call.delivery === 'latest')
  const byPlace = new Map<string, Made[]>()
  for (const one of sets) {
    const place = JSON.stringify([one.call.room, one.call.key])
    byPlace.set(place, [...(byPlace.get(place) ?? []), one])
  }
  for (const [place, list] of byPlace) {
    const [room, key] = JSON.parse(place) as [string, string]
    const last = list.findLastIndex(({ end }) => end?.type === 'acked')
    if (last === -1) continue
    const right = list.slice(last).map(({ call }) => call.value)
    for (const { who, lines, room: where, hasLeft, user } of feeds) {
      if (where !== room || hasLeft || user === undefined) continue
      const seen = lines.findLast((line) => line.type === 'event' && line.key === key)
      const value = seen?.type === 'event' ? seen.value : undefined
      if (!right.includes(value))
        complain('latest', `${who} has ${value} for ${key} of ${room} in the end, and ${right[0]} was acked`)
    }
  }
}
