import { expect, it, onTestFinished } from 'vitest'
import { serverClock } from '../../contract/server-clock.js'
import { RedisUnavailable, Script } from '../../plugins/redis/index.js'
import { describeWithRedis, startRedis } from '../support/redis.js'
import { clientAt } from '../support/redis-process.js'
import { startProxy } from '../support/tcp-proxy.js'
import { until } from '../support/until.js'
import { down, faster, listen, up, watchedHub, works } from './support.js'

const echo = new Script('return ARGV[1]')
const put = new Script("return redis.call('SET', KEYS[1], ARGV[1])")

describeWithRedis('the hub', () => {
  it('runs scripts and commands, with texts or Buffers', async () => {
    const redis = await startRedis()
    const { hub } = await watchedHub(redis.client())
    expect(hub.isUp).toBe(true)
    expect(await hub.run(echo, ['{a}'], ['héllo'])).toBe('héllo')
    expect(await hub.runBuffer(echo, ['{a}'], [Buffer.from([0, 255])])).toEqual(Buffer.from([0, 255]))
    expect(await hub.command('set', '{a}', 1)).toBe('OK')
    expect(await hub.command('get', '{a}')).toBe('1')
  })

  it('uses neither the connection nor the key prefix of the client it is given', async () => {
    const redis = await startRedis()
    const client = redis.client({ keyPrefix: 'mine:', stringNumbers: true })
    const { hub } = await watchedHub(client)
    expect(client.status).toBe('wait')
    await hub.command('set', 'k', 7)
    expect(await redis.command('keys', '*')).toEqual(['k'])
    expect(await hub.command('incr', 'k')).toBe(8)
  })

  it('loads a script again after SCRIPT FLUSH', async () => {
    const redis = await startRedis()
    const { hub } = await watchedHub(redis.client())
    await hub.run(echo, ['k'], ['a'])
    await redis.command('script', 'flush')
    expect(await hub.run(echo, ['k'], ['b'])).toBe('b')
    expect(await redis.command('script', 'exists', echo.digest)).toEqual([1])
  })

  it('hands on what a script or a command was refused for, and stays up', async () => {
    const redis = await startRedis()
    const { hub, changes } = await watchedHub(redis.client())
    const wrong = new Script("return redis.error_reply('ACKORD no')")
    await expect(hub.run(wrong, ['k'], [])).rejects.toMatchObject({
      name: 'ReplyError',
      message: 'ACKORD no',
    })
    await hub.command('set', 'k', 'text')
    await expect(hub.command('lpush', 'k', 1)).rejects.toThrow('WRONGTYPE')
    expect(changes).toEqual([])
  })

  it('subscribes once for all who listen, and unsubscribes with the last', async () => {
    const redis = await startRedis()
    const { hub } = await watchedHub(redis.client())
    const counted = async () => await redis.command('pubsub', 'numsub', 'a')
    const [one, two] = await Promise.all([listen(hub, 'a'), listen(hub, 'a')])
    expect(await counted()).toEqual(['a', 1])
    await works(hub, 'a', one.heard)
    expect(two.heard).toEqual(one.heard)
    one.stop()
    await works(hub, 'a', two.heard)
    expect(one.heard).toHaveLength(1)
    two.stop()
    await until(async () => JSON.stringify(await counted()) === '["a",0]')
  })

  it('ends up with what is wanted, however fast it changes', async () => {
    const redis = await startRedis()
    const { hub } = await watchedHub(redis.client())
    for (let i = 0; i < 50; i++) (await listen(hub, 'a')).stop()
    const ends = await Promise.all(Array.from({ length: 1500 }, (_, i) => listen(hub, `c${i % 700}`)))
    const kept = await listen(hub, 'a')
    for (const { stop } of ends) stop()
    const again = await listen(hub, 'c1')
    await works(hub, 'a', kept.heard)
    await works(hub, 'c1', again.heard)
    await until(async () => {
      const channels = await redis.command('pubsub', 'channels', '*')
      // Those two, and the one of the probe.
      return Array.isArray(channels) && channels.length === 3
    })
  })

  it('has bounds for commands under way, channels and listeners, and none of them is an outage', async () => {
    const redis = await startRedis()
    const { hub, changes } = await watchedHub(redis.client())
    const all = Array.from({ length: 10_500 }, () => hub.command('get', 'k').catch((error) => error))
    const refused = (await Promise.all(all)).filter((reply) => reply instanceof RedisUnavailable)
    expect(refused).toHaveLength(500)
    for (let i = 0; i < 1000; i++) await listen(hub, 'a')
    await expect(listen(hub, 'a')).rejects.toBeInstanceOf(RedisUnavailable)
    expect(changes).toEqual([])
  })

  it('rejects at once while Redis is away, says so once, and heals with all channels subscribed', async () => {
    const redis = await startRedis()
    const { hub, changes, messages } = await watchedHub(redis.client())
    const rooms = await Promise.all(Array.from({ length: 1200 }, (_, i) => listen(hub, `room ${i}`)))
    await redis.kill()
    await down(hub)
    await expect(hub.command('get', 'k')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await expect(listen(hub, 'other')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await redis.start()
    await up(hub)
    await Promise.all(rooms.map(({ heard }, i) => works(hub, `room ${i}`, heard)))
    expect(await hub.run(put, ['k'], ['v'])).toBe('OK')
    expect(changes).toEqual(['down', 'up'])
    expect(messages()).toEqual([
      'ackord: Redis is away; what needs it is UNAVAILABLE until it is back',
      'ackord: Redis is back',
    ])
  })

  it('rejects in time what a server that froze does not answer, and heals when it goes on', async () => {
    const redis = await startRedis()
    const { hub, changes } = await watchedHub(redis.client())
    const { heard } = await listen(hub, 'a')
    redis.freeze()
    const start = performance.now()
    await expect(hub.command('get', 'k')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(performance.now() - start).toBeLessThan(10_000)
    expect(hub.isUp).toBe(false)
    redis.resume()
    await up(hub)
    await works(hub, 'a', heard)
    expect(changes).toEqual(['down', 'up'])
  })

  it('tells everybody to look again after CLIENT KILL TYPE pubsub, and goes on after CLIENT KILL TYPE normal', async () => {
    const redis = await startRedis()
    const { hub, changes } = await watchedHub(redis.client())
    const { heard } = await listen(hub, 'a')
    await redis.command('client', 'kill', 'type', 'pubsub')
    await until(() => changes.length === 2)
    expect(changes).toEqual(['down', 'up'])
    await works(hub, 'a', heard)
    await redis.command('client', 'kill', 'type', 'normal')
    await until(() =>
      works(hub, 'a', heard).then(
        () => true,
        () => false,
      ),
    )
    expect(heard.length).toBeGreaterThan(1)
  })

  // The connections are made in this order.
  it.each(['commands', 'channels'])(
    'finds out that its connection for %s is half open, and makes another',
    async (what) => {
      const redis = await startRedis()
      const proxy = await startProxy(redis.port)
      // With the clients' own time-outs at their pace: they must not be what is waited for.
      const clock = what === 'commands' ? serverClock : faster(5)
      const { hub, changes } = await watchedHub(clientAt(proxy.port), { clock })
      const { heard } = await listen(hub, 'a')
      const link = [...proxy.links][what === 'commands' ? 0 : 1]
      expect(proxy.links.size).toBe(2)
      if (link === undefined) throw new Error('there is no such link')
      link.down.silent = true
      // Nobody waits for the next probe.
      if (what === 'commands') await expect(hub.command('get', 'k')).rejects.toThrow('no answer')
      await until(() => changes.length >= 2)
      await up(hub)
      await works(hub, 'a', heard)
      expect(changes).toEqual(['down', 'up'])
    },
  )

  it('heals where its connection for channels is half open while it subscribes', async () => {
    const redis = await startRedis()
    const proxy = await startProxy(redis.port)
    const { hub, changes } = await watchedHub(clientAt(proxy.port), { clock: faster(5) })
    const { heard } = await listen(hub, 'a')
    const link = [...proxy.links][1]
    if (link === undefined) throw new Error('there is no such link')
    link.down.silent = true
    // Fails on the old connection when there is a new one already.
    const refused = listen(hub, 'b').catch((error: unknown) => error)
    await down(hub)
    await up(hub)
    await works(hub, 'a', heard)
    expect(await refused).toBeInstanceOf(RedisUnavailable)
    expect(changes).toEqual(['down', 'up'])
  })

  it('heals after a time in which nothing passed in either direction', async () => {
    const redis = await startRedis()
    const proxy = await startProxy(redis.port)
    const { hub } = await watchedHub(clientAt(proxy.port), { clock: faster(5) })
    const { heard } = await listen(hub, 'a')
    proxy.silence()
    await down(hub)
    proxy.heal()
    await up(hub)
    await works(hub, 'a', heard)
  })

  it('starts while Redis is away: down, said once, and up when it comes', async () => {
    const redis = await startRedis()
    await redis.kill()
    const { hub, changes, messages } = await watchedHub(redis.client())
    expect(hub.isUp).toBe(false)
    await expect(hub.command('get', 'k')).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining(`not connected to 127.0.0.1:${redis.port}; is it running`),
    })
    await redis.start()
    await up(hub)
    expect(changes).toEqual(['up'])
    expect(messages()).toHaveLength(2)
  })

  it('says what to do where the password is wrong, and is up once it is right', async () => {
    const redis = await startRedis('--requirepass', 'secret')
    const { hub, messages, lines } = await watchedHub(redis.client({ password: 'guess' }))
    expect(hub.isUp).toBe(false)
    const refusals = messages().filter((message) => message.includes('refuses this client'))
    expect(refusals).toHaveLength(1)
    expect(lines.find(({ level }) => level === 50)).toMatchObject({
      err: { message: expect.stringContaining('WRONGPASS') },
    })
    const admin = await redis.connect({ password: 'secret' })
    await admin.config('SET', 'requirepass', 'guess')
    await up(hub)
    expect(messages().at(-1)).toBe('ackord: Redis is back')
  })

  it('is up, and refuses what needs memory, where Redis has none left', async () => {
    const redis = await startRedis()
    const { hub, changes } = await watchedHub(redis.client())
    const { heard } = await listen(hub, 'a')
    await redis.command('config', 'set', 'maxmemory', 1)
    await expect(hub.run(put, ['k'], ['v'])).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('OOM'),
    })
    await works(hub, 'a', heard)
    expect(await hub.run(echo, ['k'], ['read'])).toBe('read')
    await redis.command('config', 'set', 'maxmemory', 0)
    expect(await hub.run(put, ['k'], ['v'])).toBe('OK')
    expect(changes).toEqual([])
  })

  it('does not name as the reason of an outage what was refused before it', async () => {
    const redis = await startRedis()
    const { hub, lines } = await watchedHub(redis.client())
    await redis.command('config', 'set', 'maxmemory', 1)
    await expect(hub.run(put, ['k'], ['v'])).rejects.toThrow('OOM')
    await redis.kill()
    await down(hub)
    const said = lines.find(({ msg }) => String(msg).includes('Redis is away'))
    expect(said).toMatchObject({ err: { message: expect.not.stringContaining('OOM') } })
  })

  it('is down where its server became a replica, and up where it is a primary again', async () => {
    const redis = await startRedis()
    const { hub, changes } = await watchedHub(redis.client())
    await redis.command('replicaof', '127.0.0.1', 1)
    await expect(hub.run(put, ['k'], ['v'])).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(hub.isUp).toBe(false)
    await redis.command('replicaof', 'no', 'one')
    await up(hub)
    expect(await hub.run(put, ['k'], ['v'])).toBe('OK')
    expect(changes[0]).toBe('down')
  })

  it('is UNAVAILABLE for a script that was killed and while one runs for too long', async () => {
    const redis = await startRedis('--busy-reply-threshold', '50')
    const { hub } = await watchedHub(redis.client())
    const forever = new Script('while true do end')
    const killed = hub.run(forever, ['k'], []).catch((error: unknown) => error)
    await until(async () => {
      const reply = await redis.command('ping').catch((error: unknown) => String(error))
      return String(reply).includes('BUSY')
    })
    await expect(hub.command('get', 'k')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await redis.command('script', 'kill')
    expect(await killed).toBeInstanceOf(RedisUnavailable)
    await up(hub)
    expect(await hub.run(echo, ['k'], ['a'])).toBe('a')
  })

  it('ends its connections, and not those of the client it was given', async () => {
    const redis = await startRedis()
    const client = await redis.connect()
    const { hub } = await watchedHub(client)
    const before = client.call('get', 'k')
    await hub.close()
    await hub.close()
    await expect(hub.command('get', 'k')).rejects.toBeInstanceOf(RedisUnavailable)
    expect(await before).toBeNull()
    await until(async () => {
      const list = String(await client.call('client', 'list')).trim()
      return list.split('\n').length === 1
    })
    onTestFinished(() => client.disconnect())
  })
})
