import {
  type Call,
  type Client,
  type ClientOptions,
  createClient,
  type Descriptor,
  inbox,
  membership,
  presence,
  type Room,
  type RoomWithPresence,
  type StreamCall,
  stream,
  type VolatileCall,
} from '../../../client/index.js'
import type { ServerFrame } from '../../../contract/wire/frames.js'
import { spoken } from './codec.js'
import { FakeClock, settled } from './fake-clock.js'
import { FakeSocket } from './fake-socket.js'

export interface Message {
  readonly text: string
}
export interface TestCalls {
  readonly get: Call<unknown, unknown, { readonly GONE: { readonly since: number } }>
  readonly list: Call<unknown, unknown>
  readonly message: { readonly send: Call<unknown, unknown> }
  readonly typing: VolatileCall<unknown>
  readonly follow: StreamCall<unknown, number, string, { readonly GONE: { readonly since: number } }>
  readonly constructor: Call<unknown, unknown>
  readonly toString: Call<unknown, unknown>
  readonly 'a-b': Call<unknown, unknown>
  readonly on: { readonly class: Call<unknown, unknown> }
}
export interface TestEvents {
  readonly 'order.offered': {
    readonly payload: { readonly id: string }
    readonly ack: { readonly accepted: boolean }
  }
  readonly news: { readonly payload: string }
  /** Recoverable: of clients made by `inboxHarness`. */
  readonly mention: { readonly payload: Message; readonly delivery: 'recoverable' }
}
export interface ChannelEvents {
  readonly posted: { readonly payload: Message }
  readonly typing: { readonly payload: string }
}
export interface TestRooms {
  readonly channel: (params: {
    readonly channelId: string
    readonly side?: number
  }) => RoomWithPresence<ChannelEvents, string>
  readonly lobby: (params: Record<never, never>) => Room<ChannelEvents>
}
export type TestClient = Client<TestCalls, TestEvents, TestRooms>

export const descriptor: Descriptor = {
  version: '1.2.3',
  hash: '0123456789abcdef',
  calls: {
    get: { delivery: 'attempt' },
    list: { delivery: 'repeat' },
    'message.send': { delivery: 'once' },
    typing: { delivery: 'volatile' },
    follow: { delivery: 'attempt', stream },
    constructor: { delivery: 'attempt' as const },
    toString: { delivery: 'attempt' as const },
    'a-b': { delivery: 'attempt' },
    'on.class': { delivery: 'attempt' },
  },
  rooms: {
    channel: { membership, params: ['channelId', 'side'], presence },
    lobby: { membership, params: [] },
  },
}

export interface WelcomeOptions {
  readonly inFlight?: number
  readonly bytes?: number
  readonly heartbeat?: number
  readonly features?: readonly string[]
}

export const welcome = ({
  inFlight = 64,
  bytes = 65_536,
  heartbeat = 25_000,
  features = ['once'],
}: WelcomeOptions = {}): ServerFrame => [17, 's', { inFlight, bytes, heartbeat }, features, 'same', 0]

export interface Harness {
  readonly client: TestClient
  readonly clock: FakeClock
  readonly sockets: FakeSocket[]
  /** The newest socket; throws where there is none. */
  readonly socket: FakeSocket
  readonly errors: unknown[]
  /** What `random` gives. */
  readonly dice: { roll: number }
  /** Lets the client dial, opens the socket and sends WELCOME. */
  open(options?: WelcomeOptions): Promise<FakeSocket>
}

/** A client, and everything it touches in the test's hand. */
export function harness(options: ClientOptions = {}, parts: Partial<Descriptor> = {}): Harness {
  const clock = new FakeClock()
  const sockets: FakeSocket[] = []
  const errors: unknown[] = []
  class Socket extends FakeSocket {
    constructor(url: string, protocols: string[]) {
      super(url, protocols)
      sockets.push(this)
    }
  }
  const dice = { roll: 0.5 }
  const made: Harness = {
    clock,
    sockets,
    errors,
    dice,
    get socket() {
      const socket = sockets.at(-1)
      if (socket === undefined) throw new Error('no socket was made')
      return socket
    },
    client: createClient<TestCalls, TestEvents, TestRooms>(
      { ...descriptor, ...parts },
      'wss://api.example.com/v1/chat',
      {
        WebSocket: Socket,
        codec: spoken.codec,
        clock,
        random: () => dice.roll,
        onError: (error) => errors.push(error),
        ...options,
      },
    ),
    async open(welcomeOptions) {
      made.client.connection.connect()
      await settled()
      const { socket } = made
      socket.open()
      socket.receive(welcome(welcomeOptions))
      await settled()
      return socket
    },
  }
  return made
}

/** The same for a contract with recoverable events of its own: each connection joins the inbox first. */
export const inboxHarness = (options: ClientOptions = {}): Harness => harness(options, { inbox })

/** What a promise has come to, without waiting for it. */
export function watch<T>(promise: Promise<T>): {
  readonly state: 'pending' | 'resolved' | 'rejected'
  readonly value?: T
  readonly error?: unknown
} {
  const seen: { state: 'pending' | 'resolved' | 'rejected'; value?: T; error?: unknown } = {
    state: 'pending',
  }
  promise.then(
    (value) => Object.assign(seen, { state: 'resolved', value }),
    (error: unknown) => Object.assign(seen, { state: 'rejected', error }),
  )
  return seen
}

export { FakeClock, FakeSocket, settled }
