/** What the tests of authentication share: one token, brought in each of the ways a token can come. */
import { type ConnectOptions, connect, type RawClient, UpgradeRefused } from '../support/raw-client.js'
import type { TestRedis } from '../support/redis.js'
import { contract, type TestServer } from '../support/server.js'
import { until } from '../support/until.js'

/** A token as it is put into `Sec-WebSocket-Protocol`. */
export const asSubprotocol = (token: string): string =>
  `ackord.token.${Buffer.from(token).toString('base64url')}`

/** HELLO, with a token or without. */
export const hello = (token?: string): readonly unknown[] => [1, 's', contract.hash, '1.0.0', [], token]

/** The ways that need no plugin. */
export const ways: Readonly<
  Record<string, (token: string) => ConnectOptions & { readonly inHello?: string }>
> = {
  'the Authorization header': (token) => ({ headers: { authorization: `Bearer ${token}` } }),
  'a subprotocol': (token) => ({ protocols: [asSubprotocol(token), 'ackord.v1.json'] }),
  HELLO: (token) => ({ inHello: token }),
}

/** Connects and says HELLO: the first frame's number, the status of a refused upgrade, or the code of the close. */
export async function outcome(
  server: TestServer,
  options: ConnectOptions & { readonly inHello?: string } = {},
): Promise<number> {
  const { inHello, ...connectOptions } = options
  try {
    const client = await connect(server.url, connectOptions)
    client.send(hello(inHello))
    const first = client.next().then(([type]) => Number(type))
    return await Promise.any([first, client.closed().then(({ code }) => code)])
  } catch (error) {
    if (error instanceof UpgradeRefused) return error.status
    throw error
  }
}

/** Who is connected. */
export const users = (server: TestServer): string[] =>
  [...server.live.connections()].map(({ user }) => user.id)

/** Connects a client that brings fresh tokens when it is asked, and has it welcomed. */
export async function enterWithTokens(server: TestServer, token: string, session = 's'): Promise<RawClient> {
  const client = await connect(server.url)
  client.send([1, session, contract.hash, '1.0.0', ['token'], token])
  await client.next(17)
  return client
}

/** Resolves once the server has handled everything a client sent so far: a call was answered. */
export async function settled(client: RawClient): Promise<void> {
  const seq = 1_000_000 + ++settles
  client.send([2, seq, 'echo', { text: 'settled' }])
  await client.nextWhere(([type, answered]) => type === 18 && answered === seq, 'the ack behind it')
}
let settles = 0

/** Connects somebody, and has their place written again: the round of a node that is under way then knows of nobody who comes later. */
export async function beginRound(redis: TestRedis, node: TestServer, user: string): Promise<RawClient> {
  const key = `ackord:{/v1/live ${user}}:sessions`
  const client = await redis.connect()
  const entered = await node.enter(user)
  await client.del(key)
  await until(async () => (await client.exists(key)) === 1)
  return entered
}
