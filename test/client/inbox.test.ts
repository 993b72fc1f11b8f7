import { describe, expect, it } from 'vitest'
import type { JoinOptions, PublicationInfo } from '../../client/index.js'
import type { ServerFrame, WirePosition } from '../../contract/wire/frames.js'
import { type Harness, harness, inboxHarness, settled, welcome } from './support/harness.js'

const at = (offset: number, epoch = 'e'): WirePosition => [epoch, offset, 100 + offset]
const position = (offset: number, epoch = 'e') => ({ epoch, offset, tag: 100 + offset })
const mention = (offset: number): ServerFrame => [
  ...([23, 'ada', 'mention', { text: `m${offset}` }] as const),
  offset,
  100 + offset,
]

async function back(made: Harness): Promise<void> {
  made.client.connection.connect()
  await settled()
  made.socket.open()
  made.socket.receive(welcome({ heartbeat: 0 }))
}

function listen({ client }: Harness): { readonly log: string[]; readonly infos: PublicationInfo[] } {
  const log: string[] = []
  const infos: PublicationInfo[] = []
  client.events.on('mention', ({ text }, info) => {
    log.push(info.recovered ? `${text} recovered` : text)
    infos.push(info)
  })
  client.events.onGap((reason) => {
    log.push(`gap ${reason}`)
  })
  return { log, infos }
}

describe('the inbox', () => {
  it('is joined on every connection before anything else, and needs none itself', async () => {
    const made = inboxHarness()
    await settled()
    expect([made.sockets.length, made.client.connection.state]).toEqual([0, 'idle'])
    const room = made.client.rooms.lobby({})
    void room.join()
    await settled()
    made.socket.open()
    expect(made.socket.frames.slice(1)).toEqual([
      [6, 1, '', {}, null, null],
      [6, 2, 'lobby', {}, null, null],
    ])
  })

  it('brings recoverable events with their positions, and goes on where it stood', async () => {
    const made = inboxHarness()
    const { log, infos } = listen(made)
    const socket = await made.open()
    socket.receive([22, 1, 'ada', 0, at(3)], mention(4), [21, 'news', 'other'])
    expect(log).toEqual(['m4'])
    expect(infos).toEqual([{ position: position(4), recovered: false }])
    socket.end(1006)
    await back(made)
    expect(made.socket.of(6)).toEqual([[6, 1, '', {}, at(4), null]])
    made.socket.receive([22, 1, 'ada', 1, at(5)], mention(5), mention(6))
    expect(log).toEqual(['m4', 'm5 recovered', 'm6'])
  })

  it('starts where the application says', async () => {
    const made = inboxHarness({ inbox: { since: position(7), last: 20 } })
    const socket = await made.open()
    expect(socket.of(6)).toEqual([[6, 1, '', {}, at(7), 20]])
    socket.receive([22, 1, 'ada', 0, at(9)])
    socket.end(1006)
    await back(made)
    expect(made.socket.of(6)).toEqual([[6, 1, '', {}, at(9), null]])
  })

  it.each([{ since: { offset: 1 } }, { last: -1 }])('takes no start like %j', (inbox) => {
    expect(() => inboxHarness({ inbox: inbox as JoinOptions })).toThrow(TypeError)
  })

  it('tells a gap first, and holds back what follows until it is dealt with', async () => {
    const made = inboxHarness()
    const { log } = listen(made)
    let done = (): void => {}
    made.client.events.onGap(
      () =>
        new Promise((resolve) => {
          done = resolve
        }),
    )
    const socket = await made.open()
    socket.receive([22, 1, 'ada', 0, at(3)], mention(4), [22, 1, 'ada', 0, at(8), 'trimmed'], mention(9))
    await settled()
    expect(log).toEqual(['m4', 'gap trimmed'])
    done()
    await settled()
    expect(log).toEqual(['m4', 'gap trimmed', 'm9'])
  })

  it('tells an event that came past it as any other: without a position', async () => {
    const made = inboxHarness()
    const { infos } = listen(made)
    const socket = await made.open()
    socket.receive([21, 'mention', { text: 'by a server without inboxes' }])
    expect(infos).toEqual([{ position: undefined, recovered: false }])
  })

  it('that cannot be joined for now is tried again, from the first time on', async () => {
    const made = inboxHarness()
    const { log } = listen(made)
    const socket = await made.open({ heartbeat: 0 })
    socket.receive([19, 1, 'UNAVAILABLE', null, 2000])
    await made.clock.advance(2000)
    expect(socket.of(6).length).toBe(2)
    socket.receive([22, 2, 'ada', 0, at(3)], mention(4))
    expect([log, made.errors]).toEqual([['m4'], []])
  })

  it('that is refused is told to onError, and asked for again on the next connection', async () => {
    const made = inboxHarness()
    const { log } = listen(made)
    const socket = await made.open({ heartbeat: 0 })
    socket.receive([19, 1, 'UNKNOWN_ROOM', null])
    await made.clock.advance(60_000)
    expect(made.errors.map(String)).toEqual([
      'Failure: inbox failed with UNKNOWN_ROOM: refused by the server',
    ])
    expect(socket.of(6).length).toBe(1)
    socket.end(1012)
    await back(made)
    made.socket.receive([22, 1, 'ada', 0, at(3)], mention(4), [27, 'ada', 'revoked'], mention(5))
    expect(log).toEqual(['m4'])
    expect(made.socket.of(7)).toEqual([])
    made.socket.end(1006)
    await back(made)
    expect(made.socket.of(6)).toEqual([[6, 1, '', {}, at(4), null]])
  })

  it('survives a final refusal of the connection, and ends with the client', async () => {
    const made = inboxHarness()
    const socket = await made.open({ heartbeat: 0 })
    socket.end(4506)
    await back(made)
    expect(made.socket.of(6).length).toBe(1)
    made.client.close()
    made.socket.end(1000)
    expect(made.clock.pending).toBe(0)
  })

  it('is not there for a contract without recoverable events', async () => {
    const made = harness()
    expect(made.client.events).not.toHaveProperty('onGap')
    const socket = await made.open()
    expect(socket.of(6)).toEqual([])
  })
})
