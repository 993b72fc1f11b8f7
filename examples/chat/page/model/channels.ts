import type { ChannelId } from '../chat.client.js'

/** The channels, in the order they are shown, and what each is about until somebody says otherwise. */
export const CHANNELS = [
  { id: 'general', topic: 'Everything that concerns everybody' },
  { id: 'random', topic: 'Everything else' },
  { id: 'support', topic: 'Ask, and somebody knows' },
] as const satisfies readonly { id: ChannelId; topic: string }[]

/** Whether a text, such as the address bar's, names a channel. */
export const isChannelId = (text: unknown): text is ChannelId => CHANNELS.some(({ id }) => id === text)
