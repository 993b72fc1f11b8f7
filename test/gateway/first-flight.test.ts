import { afterEach, describe, expect, it } from 'vitest'
import { abortAll } from '../support/raw-client.js'
import { echo, hello, serveSlowly } from './slow-server.js'
import { eventually } from './support.js'

afterEach(abortAll)

describe('the first flight', () => {
  it('is held while the token is looked at, and then handled in order', async () => {
    const { connect, release, probe, asked } = await serveSlowly()
    const client = await connect()
    client.send(hello('s', 'ann'))
    for (let seq = 1; seq <= 10; seq++) client.send(echo(seq))
    client.send([10])
    client.send([6, 11, 'channel', { id: 'a' }])
    await asked(1)
    await client.ping()
    expect([client.frames, probe.log]).toEqual([[], []])
    release()
    await client.next(22)
    expect(client.frames.map(([type, seq]) => [type, seq])).toEqual([
      [17, 's'],
      ...Array.from({ length: 10 }, (_, n) => [18, n + 1]),
      [22, 11],
    ])
  })

  const bounds: ReadonlyArray<readonly [bound: string, frames: number, length: number]> = [
    ['16 frames', 15, 1],
    ['64 KiB', 10, 6500],
  ]
  for (const [bound, below, length] of bounds) {
    it(`stops reading at ${bound}, and reads on from WELCOME`, async () => {
      const { connect, release, gateway } = await serveSlowly()
      const [client, other] = [await connect(), await connect()]
      const [connection] = gateway.sockets
      client.send(hello('s', 'ann'))
      for (let seq = 1; seq <= below; seq++) client.send(echo(seq, 'x'.repeat(length)))
      await client.ping()
      expect(connection?.paused).toBe(false)
      client.send(echo(below + 1, 'x'.repeat(length)))
      await eventually(() => expect(connection?.paused).toBe(true))

      let answered = false
      const pong = client.ping().then(() => {
        answered = true
      })
      for (let n = 0; n < 3; n++) await other.ping()
      expect([answered, client.frames]).toEqual([false, []])
      release()
      await pong
      expect((await client.next())[0]).toBe(17)
      expect(connection?.paused).toBe(false)
    })
  }

  it('is read on behind frames that want no answer', async () => {
    const { connect, release, gateway } = await serveSlowly()
    const client = await connect()
    client.send(hello('s', 'ann'))
    for (let seq = 1; seq <= 16; seq++) client.send([3, seq])
    await eventually(() => expect([...gateway.sockets].map(({ paused }) => paused)).toEqual([true]))
    client.send(echo(1))
    release()
    expect(await client.next(18)).toEqual([18, 1, { text: '1' }])
  })

  it('may be of any length: 10,000 calls before WELCOME are all answered, in order', async () => {
    const { connect, release, asked } = await serveSlowly()
    const client = await connect()
    client.send(hello('s', 'ann'))
    for (let seq = 1; seq <= 10_000; seq++) client.send(echo(seq, ''))
    await asked(1)
    release()
    await client.nextWhere(([type, seq]) => type === 18 && seq === 10_000, 'the last ack')
    const acks = client.frames.slice(1).map(([type, seq]) => (type === 18 ? seq : undefined))
    expect(acks).toHaveLength(10_000)
    expect(acks.every((seq, n) => seq === n + 1)).toBe(true)
  })

  it('is dropped at its first violation', async () => {
    const { connect, release, probe } = await serveSlowly()
    const client = await connect()
    client.send(hello('s', 'ann'))
    client.send(echo(1))
    client.send([8, 1, {}])
    client.send(echo(2))
    await client.ping()
    release()
    expect((await client.closed()).code).toBe(4502)
    expect(probe.log).toEqual(['echo 1'])
  })
})
