import { describe, expect, it } from 'vitest'
import { createClock } from '../../client/testing/index.js'
import { RedisLink, type RedisValue, Script } from '../../plugins/redis/index.js'
import { quietLog } from '../rate-limit/support.js'

const script = new Script('return 1')

/** A link to a hub whose replies the test gives. */
const setUp = () => {
  const clock = createClock()
  const { log, lines } = quietLog()
  const asked: Array<{ resolve: (value: unknown) => void; reject: (error: Error) => void }> = []
  const hub = {
    canRun: true,
    run: () => new Promise<unknown>((resolve, reject) => asked.push({ resolve, reject })),
  }
  const link = new RedisLink(hub, clock, log, { away: 'nothing is lost', back: 'nothing was lost' })
  const run = (): Promise<unknown> => link.run(script, ['key'], [1])
  return { clock, lines, asked, hub, link, run }
}
const messages = (lines: ReadonlyArray<Record<string, unknown>>) => lines.map(({ msg }) => msg)
const AWAY = 'ackord: nothing is lost'
const BACK = 'ackord: nothing was lost'

describe('a link to Redis', () => {
  it('gives the reply that comes in time, and no other', async () => {
    const { clock, asked, run, lines } = setUp()
    const first = run()
    const second = run()
    clock.advance(99)
    asked[0]?.resolve(7)
    expect(await first).toBe(7)
    clock.advance(1)
    expect(await second).toBeUndefined()
    asked[1]?.resolve(8)
    await Promise.resolve()
    expect(messages(lines)).toEqual([AWAY])
  })

  it('lets nobody wait: after a failure it is not asked for a second, then by one at a time until it answers', async () => {
    const { clock, asked, run, link, lines } = setUp()
    const failed = run()
    asked[0]?.reject(new Error('READONLY'))
    expect(await failed).toBeUndefined()
    expect(link.usable).toBe(false)
    clock.advance(999)
    expect(link.usable).toBe(false)
    clock.advance(1)
    expect(link.usable).toBe(true)
    const probe = run()
    expect(link.usable).toBe(false)
    clock.advance(100)
    expect(await probe).toBeUndefined()
    expect(link.usable).toBe(false)
    clock.advance(1000)
    const second = run()
    asked[2]?.resolve(1)
    expect(await second).toBe(1)
    expect(link.usable).toBe(true)
    expect(messages(lines)).toEqual([AWAY, BACK])
  })

  it('does not ask a hub that cannot run anything, and logs each outage once', async () => {
    const { clock, asked, hub, link, run, lines } = setUp()
    hub.canRun = false
    for (let i = 0; i < 100; i++) expect(link.usable).toBe(false)
    hub.canRun = true
    clock.advance(1000)
    expect(link.usable).toBe(true)
    const back = run()
    asked[0]?.resolve(1)
    await back
    hub.canRun = false
    for (let i = 0; i < 100; i++) expect(link.usable).toBe(false)
    expect(messages(lines)).toEqual([AWAY, BACK, AWAY])
  })

  it('keeps nothing of commands that were answered or given up', async () => {
    const { clock, asked, run, link } = setUp()
    const answered = Array.from({ length: 50 }, run)
    expect(link.waiting).toBe(50)
    for (const { resolve } of asked) resolve(1)
    await Promise.all(answered)
    expect(link.waiting).toBe(0)
    const late = Array.from({ length: 50 }, run)
    clock.advance(100)
    await Promise.all(late)
    expect(link.waiting).toBe(0)
  })
})

describe('a script', () => {
  it('is sent whole only where the server does not know it', async () => {
    const sent: string[] = []
    const answers: Array<string | Error> = []
    const send = async (command: string, [what]: RedisValue[]) => {
      sent.push(`${command} ${what}`)
      const answer = answers.shift()
      if (answer instanceof Error) throw answer
      return answer
    }
    answers.push('known')
    expect(await script.run(send, [], [])).toBe('known')
    answers.push(new Error('NOSCRIPT No matching script. Please use EVAL.'), 'evaluated')
    expect(await script.run(send, [], [])).toBe('evaluated')
    answers.push(new Error('OOM command not allowed'))
    await expect(script.run(send, [], [])).rejects.toThrow('OOM')
    const byDigest = `evalsha ${script.digest}`
    expect(sent).toEqual([byDigest, byDigest, 'eval return 1', byDigest])
  })
})
