/** What `app.ackord.stats()` gives. docs/metrics.md. */
import type { Gateway, Mount } from '../gateway/index.js'
import type { CallTally } from './call-tally.js'

/** Calls of one name that came to one end. */
export interface CallStats {
  readonly count: number
  /** Of all of them together; divided by `count`, the mean. */
  readonly ms: number
  /** How many took how long, by the bounds of `LATENCY_BUCKETS_MS`; not cumulative. One more than bounds: the last took longer. */
  readonly latency: readonly number[]
}

/** One namespace, on this node. */
export interface NamespaceStats {
  /** Connections from WELCOME on. */
  readonly open: number
  /** Distinct users, from authentication on. */
  readonly users: number
  /** By name and code; `OK` where there was no error, `.` for names that the contract does not have. */
  readonly calls: Readonly<Record<string, Readonly<Record<string, CallStats>>>>
}

/** This node: what is now, and what was counted since its start. Counts never go down. */
export interface Stats {
  /** Milliseconds since the app was made. */
  readonly uptime: number
  readonly connections: {
    /** Now, from WELCOME on. */
    readonly open: number
    /** Now, between the 101 and WELCOME. */
    readonly opening: number
    /** Now: distinct users, by namespace and summed up; from authentication on. */
    readonly users: number
  }
  readonly upgrades: {
    /** Now, between the request and the 101. */
    readonly pending: number
    /** Got their 101. */
    readonly accepted: number
    /** Refused, by code, plain GETs that asked and were told so included. PROTOCOL.md § Refusals. */
    readonly refused: Readonly<Record<string, number>>
  }
  /** Connections that ended, by close code. */
  readonly closes: {
    /** This node closed them; 1006: it cut them at the end of `grace`. */
    readonly sent: Readonly<Record<string, number>>
    /** Their client closed them, or they were lost (1006). A code that no client has to send is `other`. */
    readonly received: Readonly<Record<string, number>>
  }
  /** Bytes that wait to leave, now. */
  readonly buffered: number
  /** Streams that run, now. */
  readonly streams: number
  /** Messages `dropped` at the bound of a connection, connections `closed` there, sockets `paused`, calls and joins `overloaded`. */
  readonly backpressure: {
    readonly dropped: number
    readonly closed: number
    readonly paused: number
    readonly overloaded: number
  }
  /** Calls that limits refused. */
  readonly rateLimited: number
  /** Checks of `reauthorize`, and of a member's `join`, that could not be made: what was granted stayed. */
  readonly unchecked: number
  /** By full path. */
  readonly namespaces: Readonly<Record<string, NamespaceStats>>
}

/** Reads everything; takes time with the number of connections. */
export function readStats(gateway: Gateway, since: number, tallies: ReadonlyMap<Mount, CallTally>): Stats {
  const { counters } = gateway
  const mounts = [...gateway.paths.values()]
  let buffered = 0
  let streams = 0
  for (const { writer, streams: running } of gateway.sockets) {
    buffered += writer.buffered
    streams += running
  }
  const { dropped, closed, paused, overloaded } = counters
  return {
    uptime: Math.floor(gateway.clock.now() - since),
    connections: {
      open: sum(mounts, openOf),
      opening: gateway.handshakes.size,
      users: sum(mounts, ({ connections }) => connections.users),
    },
    upgrades: {
      pending: gateway.upgrades.size,
      accepted: counters.accepted,
      refused: counters.refused.read(),
    },
    closes: { sent: counters.closes.read(), received: counters.left.read() },
    buffered,
    streams,
    backpressure: { dropped, closed, paused, overloaded },
    rateLimited: sum([...tallies.values()], (tally) => tally.count('RATE_LIMITED')),
    unchecked: counters.unchecked,
    namespaces: Object.fromEntries(
      mounts.map((mount) => [
        mount.path,
        {
          open: openOf(mount),
          users: mount.connections.users,
          calls: tallies.get(mount)?.read() ?? {},
        },
      ]),
    ),
  }
}

// Those in an onConnect hook are among the connections already.
function openOf({ connections }: Mount): number {
  let open = 0
  for (const { phase } of connections) if (phase === 'open') open++
  return open
}

function sum<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((total, item) => total + value(item), 0)
}
