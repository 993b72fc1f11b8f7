// What a front end writes with the client of contracts/chat.ts. Type-checked, not run.
import { createChat, type Message, type MessageSendInput } from './chat.client.js'

const chat = createChat('wss://example.com/chat', { token: () => 'token', timeout: 5000 })

export async function send(input: MessageSendInput): Promise<number> {
  const { id, at } = await chat.calls.message.send(input)
  const text: string = id
  const result = await chat.calls.message.send.result({ channelId: text, text: 'hi' }, { timeout: 3000 })
  if (result.ok) return result.value.at
  if (result.error.code === 'CHANNEL_CLOSED') return result.error.data.until
  if (result.error.code === 'INVALID_INPUT') return result.error.data.pointer.length
  // @ts-expect-error only declared errors and those of the table
  if (result.error.code === 'CHANNEL_OPEN') return 0
  return at
}

export async function list(before: string | undefined): Promise<Message | undefined> {
  const [first] = await chat.calls.message.list({ channelId: 'general', before })
  await chat.calls.leave({})
  const nothing: void = chat.calls.typing({ channelId: 'general' })
  // @ts-expect-error a volatile call has no result
  chat.calls.typing.result
  // @ts-expect-error channelId is missing
  await chat.calls.message.list({})
  // @ts-expect-error no such property
  await chat.calls.message.list({ channelId: 'general', after: '' })
  // @ts-expect-error no such call
  await chat.calls.message.sent({ channelId: 'general', text: '' })
  return nothing ?? first
}

export async function save(write: (message: Message) => void): Promise<number> {
  const saved = chat.calls.export({ channelId: 'general' }, { timeout: 60_000 })
  for await (const message of saved) {
    write(message)
    // @ts-expect-error no such property
    message.sender
  }
  const result = await saved.result()
  if (!result.ok && result.error.code === 'INVALID_INPUT') return result.error.data.rule.length
  // @ts-expect-error a stream is no promise
  chat.calls.export({ channelId: 'general' }).then()
  // @ts-expect-error its result is asked for by the stream
  chat.calls.export.result
  // @ts-expect-error a call that is no stream has no items
  for await (const item of chat.calls.leave({})) write(item)
  return result.ok ? result.value.count : 0
}

export function listen(told: (message: Message) => void): () => void {
  const stop = chat.events.on('mention', told)
  chat.events.on('mention', (message, { position, recovered }) =>
    recovered ? position?.offset : message.text,
  )
  chat.events.onGap(async (reason) => void reason.length)
  chat.events.handle('order.offered', async (offer) => ({ accepted: offer.id === '42' }))
  // @ts-expect-error the ack is { accepted: boolean }
  chat.events.handle('order.offered', () => true)
  // @ts-expect-error nothing asks for an answer to a mention
  chat.events.handle('mention', () => undefined)
  // @ts-expect-error no such event
  chat.events.on('mentioned', told)
  return stop
}

export async function join(): Promise<number> {
  const general = chat.rooms.channel({ channelId: 'general' })
  general.on('posted', (message, { position, recovered }) => {
    const text: string = message.text
    const offset: number | undefined = position?.offset
    const live: boolean = !recovered
    return { text, offset, live }
  })
  general.on('price', (price) => price.value.toFixed(2))
  // @ts-expect-error no such event in this room
  general.on('mention', () => undefined)
  // @ts-expect-error the room's params
  chat.rooms.channel({ id: 'general' })
  general.presence.set({ status: 'here' })
  // @ts-expect-error no such state
  general.presence.set({ status: 'busy' })
  const away = general.presence.get().filter(({ state }) => state?.status === 'away')
  const joined = await general.join({ last: 50 - away.length })
  general.leave()
  return joined.ok ? joined.recovered : 0
}
