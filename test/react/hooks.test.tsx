// @vitest-environment happy-dom
import { act, type ReactElement, StrictMode, useState } from 'react'
import { createRoot, type Root } from 'react-dom/client'
import { renderToString } from 'react-dom/server'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { useConnection, useEvent, useOutbox, usePresence, useRoom } from '../../client/react/index.js'
import { type Harness, harness, inboxHarness, settled, welcome } from '../client/support/harness.js'

vi.stubGlobal('IS_REACT_ACT_ENVIRONMENT', true)

// The project compiles without the DOM's types: this is all of it that is needed here.
type Container = Parameters<typeof createRoot>[0] & { readonly textContent: string | null }
const { document } = globalThis as unknown as { readonly document: { createElement(name: 'div'): Container } }

const roots: Root[] = []
afterEach(async () => {
  await act(async () => {
    for (const root of roots.splice(0)) root.unmount()
  })
  await turn()
})

/** Timers of this turn have run: a leave that was put off has happened. */
const turn = () => act(async () => new Promise<void>((resolve) => setTimeout(resolve)))

interface Page {
  readonly text: () => string | null
  render(element: ReactElement): Promise<void>
  unmount(): Promise<void>
}

async function show(element: ReactElement): Promise<Page> {
  const container = document.createElement('div')
  const root = createRoot(container)
  roots.push(root)
  const render = (next: ReactElement) => act(async () => root.render(next))
  await render(element)
  return { text: () => container.textContent, render, unmount: () => act(async () => root.unmount()) }
}

const open = (made: Harness) => act(async () => made.open({ heartbeat: 0 }))

describe('useConnection', () => {
  const View = ({ made }: { made: Harness }) => <p>{useConnection(made.client).state}</p>

  it('shows the state of the connection and does not connect', async () => {
    const made = harness()
    const page = await show(<View made={made} />)
    expect(page.text()).toBe('idle')
    const socket = await open(made)
    expect(page.text()).toBe('open')
    await act(async () => socket.end(1006))
    expect(page.text()).toBe('waiting')
    await page.unmount()
    await act(async () => made.client.close())
  })

  it('renders on a server as what a browser first shows', async () => {
    const made = harness()
    await made.open()
    expect(renderToString(<View made={made} />)).toBe('<p>idle</p>')
  })
})

describe('useOutbox', () => {
  const View = ({ made }: { made: Harness }) => (
    <p>{useOutbox(made.client).map((entry) => `${entry.call} ${JSON.stringify(entry.input)} `)}</p>
  )

  it('shows the calls that wait', async () => {
    const made = harness()
    const page = await show(<View made={made} />)
    expect(page.text()).toBe('')
    await act(async () => {
      void made.client.calls.message.send.result({ n: 1 })
      void made.client.calls.list.result({ n: 2 })
    })
    expect(page.text()).toBe('message.send {"n":1} list {"n":2} ')
    await act(async () => made.client.outbox.clear())
    expect(page.text()).toBe('')
  })

  it('is empty on a server', () => {
    const made = harness()
    void made.client.calls.list.result({})
    expect(renderToString(<View made={made} />)).toBe('<p></p>')
  })
})

describe('useEvent', () => {
  it('calls the newest handler without listening anew', async () => {
    const made = harness()
    const on = vi.spyOn(made.client.events, 'on')
    const heard: string[] = []
    const View = ({ tag }: { tag: string }) => {
      useEvent(made.client, 'news', (news) => heard.push(`${tag} ${news}`))
      return null
    }
    const page = await show(<View tag="a" />)
    const socket = await open(made)
    await act(async () => socket.receive([21, 'news', '1']))
    await page.render(<View tag="b" />)
    await act(async () => socket.receive([21, 'news', '2']))
    expect(on).toHaveBeenCalledTimes(1)
    await page.unmount()
    socket.receive([21, 'news', '3'])
    expect(heard).toEqual(['a 1', 'b 2'])
  })

  it('listens to a room, with what comes beside the payload', async () => {
    const made = harness()
    const heard: unknown[] = []
    const View = () => {
      const { room } = useRoom(made.client.rooms.lobby, {})
      useEvent(room, 'posted', ({ text }, { position }) => heard.push([text, position?.offset]))
      return null
    }
    await show(<View />)
    const socket = await open(made)
    await act(async () =>
      socket.receive([22, 1, 'k', 1, ['e', 4, 1]], [23, 'k', 'posted', { text: 'hi' }, 4, 1]),
    )
    expect(heard).toEqual([['hi', 4]])
  })

  it('listens to the inbox, with where it stands', async () => {
    const made = inboxHarness()
    const heard: unknown[] = []
    const View = () => {
      useEvent(made.client, 'mention', ({ text }, { position }) => heard.push([text, position?.offset]))
      return null
    }
    await show(<View />)
    const socket = await open(made)
    await act(async () =>
      socket.receive([22, 1, 'u', 0, ['e', 3, 1]], [23, 'u', 'mention', { text: 'hi' }, 4, 1]),
    )
    expect(heard).toEqual([['hi', 4]])
  })

  it('does nothing on a server', () => {
    const made = harness()
    const View = () => {
      useEvent(made.client, 'news', () => {})
      return null
    }
    renderToString(<View />)
    expect(made.client.connection.state).toBe('idle')
  })
})

describe('useRoom', () => {
  const View = ({ made, channelId, last }: { made: Harness; channelId: string; last?: number }) => {
    const { state, joined } = useRoom(
      made.client.rooms.channel,
      { channelId },
      last === undefined ? {} : { last },
    )
    return (
      <p>{`${channelId} ${state} ${joined === undefined ? '-' : joined.ok ? joined.recovered : joined.error.code}`}</p>
    )
  }

  it('joins on mounting, shows what it came to, and leaves on unmounting', async () => {
    const made = harness()
    const page = await show(<View made={made} channelId="a" last={5} />)
    expect(page.text()).toBe('a joining -')
    const socket = await open(made)
    expect(socket.of(6)).toEqual([[6, 1, 'channel', { channelId: 'a' }, null, 5]])
    await act(async () => socket.receive([22, 1, 'k', 0]))
    expect(page.text()).toBe('a joined 0')
    await page.unmount()
    await turn()
    expect(socket.of(7)).toEqual([[7, 1]])
  })

  it('joins once in StrictMode, which mounts everything twice', async () => {
    const made = harness()
    const page = await show(
      <StrictMode>
        <View made={made} channelId="a" />
      </StrictMode>,
    )
    await turn()
    const socket = await open(made)
    await act(async () => socket.receive([22, 1, 'k', 0]))
    await turn()
    expect(page.text()).toBe('a joined 0')
    expect(socket.frames.slice(1).map((frame) => frame[0])).toEqual([6])
    await page.unmount()
    await turn()
    expect(socket.of(7).length).toBe(1)
  })

  it('stays in where nothing but the identity of the params changes', async () => {
    const made = harness()
    const page = await show(<View made={made} channelId="a" />)
    const socket = await open(made)
    await act(async () => socket.receive([22, 1, 'k', 0]))
    await page.render(<View made={made} channelId="a" />)
    await turn()
    expect(socket.frames.length).toBe(2)
  })

  it('changes rooms with its params', async () => {
    const made = harness()
    const page = await show(<View made={made} channelId="a" />)
    const socket = await open(made)
    await act(async () => socket.receive([22, 1, 'ka', 3]))
    expect(page.text()).toBe('a joined 3')
    await page.render(<View made={made} channelId="b" />)
    expect(page.text()).toBe('b joining -')
    await turn()
    expect(socket.frames.slice(2)).toEqual([
      [6, 2, 'channel', { channelId: 'b' }, null, null],
      [7, 1],
    ])
    await act(async () => socket.receive([22, 2, 'kb', 0]))
    expect(page.text()).toBe('b joined 0')
  })

  it('keeps the room while another component holds it', async () => {
    const made = harness()
    const Two = ({ both }: { both: boolean }) => (
      <>
        <View made={made} channelId="a" />
        {both && <View made={made} channelId="a" />}
      </>
    )
    const page = await show(<Two both />)
    const socket = await open(made)
    await act(async () => socket.receive([22, 1, 'k', 0]))
    expect(page.text()).toBe('a joined 0a joined 0')
    await page.render(<Two both={false} />)
    await turn()
    expect(socket.frames.slice(1).map((frame) => frame[0])).toEqual([6])
  })

  it('shows why it is not in', async () => {
    const made = harness()
    const page = await show(<View made={made} channelId="a" />)
    const socket = await open(made)
    await act(async () => socket.receive([19, 1, 'FORBIDDEN', null]))
    expect(page.text()).toBe('a out FORBIDDEN')
  })

  it('shows a membership that ended, and one that is on its way back', async () => {
    const made = harness()
    const page = await show(<View made={made} channelId="a" />)
    const socket = await open(made)
    await act(async () => socket.receive([22, 1, 'k', 0]))
    await act(async () => socket.end(1006))
    expect(page.text()).toBe('a joining 0')
    await act(async () => made.client.connection.connect())
    await act(async () => {
      made.socket.open()
      made.socket.receive(welcome({ heartbeat: 0 }), [22, 1, 'k', 0], [27, 'k', 'evicted'])
    })
    expect(page.text()).toBe('a out -')
  })

  it('renders on a server without joining', async () => {
    const made = harness()
    expect(renderToString(<View made={made} channelId="a" />)).toBe('<p>a out -</p>')
    await settled()
    expect(made.client.connection.state).toBe('idle')
  })

  it('survives a component that renders again while it joins', async () => {
    const made = harness()
    const Twice = () => {
      const [n, set] = useState(0)
      const { state } = useRoom(made.client.rooms.lobby, {})
      if (n < 3) set(n + 1)
      return <p>{`${n} ${state}`}</p>
    }
    const page = await show(<Twice />)
    expect(page.text()).toBe('3 joining')
    const socket = await open(made)
    expect(socket.of(6).length).toBe(1)
  })
})

describe('usePresence', () => {
  const View = ({ made, channelId = 'a' }: { made: Harness; channelId?: string }) => {
    const { room } = useRoom(made.client.rooms.channel, { channelId })
    return <p>{usePresence(room).map(({ user, state }) => `${user} ${state ?? '-'};`)}</p>
  }

  it('shows who is there, as they come, go and change', async () => {
    const made = harness()
    const page = await show(<View made={made} />)
    expect(page.text()).toBe('')
    const socket = await open(made)
    await act(async () => socket.receive([22, 1, 'k', 0, null, null, [['ada', 'here', 1]]]))
    expect(page.text()).toBe('ada here;')
    await act(async () => socket.receive([24, 'k', [['bob', null, 1]], [['ada', 'away', 1]], []]))
    expect(page.text()).toBe('ada away;bob -;')
    await act(async () => socket.receive([24, 'k', [], [], ['ada']]))
    expect(page.text()).toBe('bob -;')
    await page.render(<View made={made} channelId="b" />)
    expect(page.text()).toBe('')
  })

  it('renders nothing anew for what is said in the room', async () => {
    const made = harness()
    let renders = 0
    const Counted = () => {
      renders++
      const { room } = useRoom(made.client.rooms.channel, { channelId: 'a' })
      return <p>{usePresence(room).length}</p>
    }
    await show(<Counted />)
    const socket = await open(made)
    await act(async () => socket.receive([22, 1, 'k', 0, null, null, [['ada', null, 1]]]))
    const before = renders
    await act(async () => socket.receive([23, 'k', 'typing', 'ada']))
    expect(renders).toBe(before)
  })

  it('shows nobody on a server', () => {
    const made = harness()
    expect(renderToString(<View made={made} />)).toBe('<p></p>')
  })
})
