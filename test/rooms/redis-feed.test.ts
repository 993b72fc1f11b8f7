import { expect, it, onTestFinished } from 'vitest'
import { serverClock } from '../../contract/server-clock.js'
import { BrokerError, type Outgoing, type Position, type RoomLog } from '../../plugins/rooms/broker.js'
import { RoomFeed } from '../../plugins/rooms/redis/feed.js'
import { decodeLive, type Live } from '../../plugins/rooms/redis/live.js'
import { liveChannel, RedisLog } from '../../plugins/rooms/redis/log.js'
import {
  latest,
  offsetsOf,
  payloadsOf,
  plain,
  ROOMY,
  range,
  recoverable,
  volatile,
  withHistory,
} from '../conformance/broker-support.js'
import { describeWithRedis, openHub, startRedis } from '../support/redis.js'
import { until } from '../support/until.js'

type Told = ReturnType<typeof plain> | { readonly restart: string; readonly position: Position | undefined }

/** A feed whose channel a test has in its hand: what was said waits in `said` until the test passes it on. */
async function start(log: RoomLog = ROOMY) {
  const server = await startRedis()
  const hub = await openHub(await server.connect())
  const room = 'room'
  const redisLog = new RedisLog(hub)
  const said: Live[] = []
  let listener: (live: Live, bytes: number) => void = () => undefined
  let ids = 0
  let gate: Promise<void> = Promise.resolve()
  let failing = false
  let behindValues = async (): Promise<void> => undefined
  const guarded =
    <A extends unknown[], R>(ask: (...of: A) => Promise<R>) =>
    async (...of: A): Promise<R> => {
      await gate
      if (failing) throw new BrokerError('UNAVAILABLE', 'away')
      return ask(...of)
    }
  const feed = new RoomFeed(room, log, {
    clock: serverClock,
    log: {
      head: guarded((...of) => redisLog.head(...of)),
      read: guarded((...of) => redisLog.read(...of)),
      after: guarded((...of) => redisLog.after(...of)),
      latestSince: guarded(async (...of) => {
        const values = await redisLog.latestSince(...of)
        await behindValues()
        return values
      }),
    },
    async subscribe(_room, hear) {
      listener = hear
      return hub.subscribe(liveChannel('ackord', room), (message) => void said.push(decodeLive(message)))
    },
    randomId: () => `epoch ${++ids}`,
    onError: (error) => {
      throw error
    },
  })
  onTestFinished(() => feed.stop())
  const told: Told[] = []
  feed.add({
    deliver: (publications) => void told.push(...publications.map(plain)),
    restart: (position, restart) => void told.push({ restart, position }),
  })
  await feed.started
  let published = 0
  return {
    feed,
    redisLog,
    told,
    said,
    /** Says something to the feed. */
    say: (...messages: Array<Live | undefined>) => {
      for (const live of messages) if (live !== undefined) listener(live, 100)
    },
    /** Publishes one batch each, and resolves once all were said. */
    async publish(...all: Outgoing[]): Promise<Live[]> {
      const from = said.length
      for (const outgoing of all) await redisLog.publish(room, log, [outgoing], `publish ${++published}`)
      await until(() => said.length === from + all.length)
      return said.slice(from)
    },
    /** Lets the log answer only when the returned function is called. */
    hold(): () => void {
      let open = (): void => undefined
      gate = new Promise((resolve) => {
        open = resolve
      })
      return open
    },
    /** What happens between the log's last answer to a fill and its arrival. */
    set behindValues(act: () => Promise<void>) {
      behindValues = act
    },
    setFailing: (isFailing: boolean) => {
      failing = isFailing
    },
  }
}

const publications = (told: readonly Told[]) => told.flatMap((each) => ('restart' in each ? [] : [each]))
const numbers = (count: number): Outgoing[] => range(1, count).map((n) => recoverable(n))

describeWithRedis('the feed of a room in Redis', () => {
  it('fills a hole from the log when it hears what is behind it', async () => {
    const { say, publish, told } = await start()
    const [one, , , four] = await publish(...numbers(4))
    say(one, four)
    await until(() => told.length === 4)
    expect(offsetsOf(publications(told))).toEqual([1, 2, 3, 4])
  })

  it('finds what nothing came behind when it is checked, and asks no more where nothing is missing', async () => {
    const { say, publish, told, feed } = await start()
    const [one] = await publish(...numbers(3), latest('k', 'v'))
    say(one)
    await feed.check()
    expect(payloadsOf(publications(told))).toEqual([1, 2, 3, 'v'])
    await feed.check()
    expect(told).toHaveLength(4)
  })

  it('delivers once and in order what it hears twice, late, and in any order', async () => {
    const { say, publish, told } = await start()
    const [one, two, three, four, five] = await publish(...numbers(5))
    say(one, one, three, two, two, one, five, four, three)
    await until(() => told.length === 5)
    say(one, two, three, four, five)
    const [six] = await publish(recoverable(6))
    say(six)
    await until(() => told.length >= 6)
    expect(payloadsOf(publications(told))).toEqual([1, 2, 3, 4, 5, 6])
  })

  it('delivers what comes behind a volatile publication and values in one batch as it was published', async () => {
    const { redisLog, told, said, say } = await start()
    const batch = [volatile('a'), recoverable(1), latest('k', 'v'), recoverable(2), volatile('b')]
    await redisLog.publish('room', ROOMY, batch, 'nonce')
    await until(() => said.length === 1)
    say(said[0], said[0])
    await until(() => told.length >= 5)
    expect(payloadsOf(publications(told).slice(0, 5))).toEqual(['a', 1, 'v', 2, 'b'])
    const again = publications(told).slice(5)
    expect(again.every(({ delivery }) => delivery === 'volatile')).toBe(true)
  })

  it('says why where the log kept too little of what it did not hear', async () => {
    const { say, publish, told } = await start(withHistory({ messages: 3 }))
    const said = await publish(...numbers(10))
    say(said[0], said[9])
    await until(() => told.length === 2)
    expect(told[1]).toMatchObject({ restart: 'trimmed', position: { offset: 10 } })
    const [next] = await publish(recoverable('next'))
    say(next)
    expect(payloadsOf(publications(told))).toEqual([1, 'next'])
  })

  it('takes nothing of a history that is not the log’s, wherever it claims to stand', async () => {
    const { say, publish, told, feed } = await start()
    const said = await publish(...numbers(3))
    say(...said)
    const [forged] = said
    if (forged === undefined) throw new Error('nothing was said')
    for (const offset of [1, 3, 4, 5, 1000]) {
      const fake = forged.publications.map((each) => ({
        ...plain(each),
        payload: '"forged"',
        position: each.position && { ...each.position, offset, tag: 7 },
      }))
      say({ ...forged, previousTag: 5, publications: fake })
      await feed.heal()
    }
    const [four] = await publish(recoverable(4))
    say(four)
    expect(payloadsOf(publications(told))).toEqual([1, 2, 3, 4])
    expect(told).toHaveLength(4)
  })

  it('holds no more than its bound while the log is read, and loses nothing beyond it', async () => {
    const { say, publish, told, redisLog, said, hold } = await start()
    const [, two] = await publish(...numbers(2))
    const open = hold()
    say(two)
    const more = range(3, 1500).map((n) => redisLog.publish('room', ROOMY, [recoverable(n)], `more ${n}`))
    await Promise.all(more)
    await until(() => said.length === 1500)
    say(...said.slice(2))
    expect(told).toEqual([])
    open()
    await until(() => told.length >= 1500)
    expect(payloadsOf(publications(told)).sort()).toEqual(range(1, 1500).sort())
    expect(offsetsOf(publications(told))).toEqual(range(1, 1500))
  })

  it('is behind where the log cannot be read, and catches up when it can', async () => {
    const { say, publish, told, feed, setFailing } = await start()
    const [, two] = await publish(...numbers(2))
    setFailing(true)
    say(two)
    await until(() => feed.behind)
    await expect(feed.check()).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(told).toEqual([])
    setFailing(false)
    await feed.check()
    expect([feed.behind, payloadsOf(publications(told))]).toEqual([false, [1, 2]])
  })

  it('is behind where it gives up on what the log denies, for then it drops what came behind that, too', async () => {
    const started = await start()
    const { say, publish, told, feed } = started
    const [one] = await publish(recoverable(1))
    say(one)
    let fills = 0
    started.behindValues = async () => {
      if (++fills === 3) say(...(await publish(recoverable(2))))
    }
    // Nothing comes behind the second one: only who looks again finds it.
    if (one !== undefined) say({ ...one, epoch: 'another' })
    await until(() => fills === 3)
    await feed.heal()
    await until(() => feed.behind || told.length === 2)
    await feed.check()
    expect([feed.behind, payloadsOf(publications(told))]).toEqual([false, [1, 2]])
  })

  it('lets a snapshot wait for the channel to come as far, or asks the log where it does not', async () => {
    const { say, publish, told, feed, redisLog, setFailing } = await start()
    const read = () => redisLog.read('room', ROOMY, { session: 's' }, 'nonce')
    const [one] = await publish(recoverable(1))
    let isReached = false
    const reached = feed.reach(await read()).then(() => {
      isReached = true
    })
    await new Promise((resolve) => setImmediate(resolve))
    expect(isReached).toBe(false)
    say(one)
    await reached
    await publish(recoverable(2), latest('k', 'v'))
    await feed.reach(await read())
    expect(payloadsOf(publications(told))).toEqual([1, 2, 'v'])
    await publish(recoverable(3))
    const snapshot = await read()
    setFailing(true)
    await expect(feed.reach(snapshot)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })

  it('notices a value that it did not hear by the next one, of whatever key', async () => {
    const { say, publish, told } = await start()
    const [, , third] = await publish(latest('a', 1), latest('b', 2), latest('c', 3))
    say(third)
    await until(() => told.length >= 3)
    expect(payloadsOf(publications(told))).toEqual([1, 2, 3])
  })

  it('gives of latest values the newest, and no older one behind a newer', async () => {
    const { say, publish, told } = await start()
    const said = await publish(...range(1, 6).map((n) => latest('k', n)))
    say(said[0], said[3], said[1], said[2], said[5], said[4])
    await until(() => publications(told).at(-1)?.payload === '6')
    const [seven] = await publish(latest('k', 7))
    say(said[5], seven)
    const values = payloadsOf(publications(told)).map(Number)
    expect(values).toEqual([...new Set(values)].sort((one, next) => one - next))
    expect(values.at(-1)).toBe(7)
  })
})
