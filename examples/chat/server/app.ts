/** A Fastify API with a chat in it: one HTTP route, one namespace, one folder of static files. */
import jwt from '@fastify/jwt'
import fastifyStatic from '@fastify/static'
import ackord, { type Clock } from 'ackord'
import { type Static, Type } from 'ackord/contract'
import Fastify, { type FastifyInstance } from 'fastify'
import type { Redis } from 'ioredis'
import { live } from './live.js'
import { messageCalls } from './messages.js'
import { memoryStore, redisStore } from './store.js'

/** What start.ts decides. */
export interface AppOptions {
  /** Signs the tokens. */
  readonly secret: string
  /** The folder of the built page. */
  readonly page: URL
  readonly logLevel: string
  /** The address of the proxy in front, whose word on addresses and protocol counts. Default: there is none. */
  readonly trustProxy?: string
  /** What all nodes share; the caller's to end, behind `app.close()`. Default: there is one node. */
  readonly redis?: Redis
  /** For tests: time. */
  readonly clock?: Clock
}

const SignIn = Type.Object({ name: Type.String({ minLength: 1, maxLength: 32, pattern: '^\\S(.*\\S)?$' }) })

/** Builds the app; it does not listen yet. */
export async function buildApp(options: AppOptions): Promise<FastifyInstance> {
  const { secret, page, logLevel, trustProxy = false, redis, clock } = options
  const app = Fastify({ logger: { level: logLevel }, trustProxy })
  await app.register(jwt, { secret })
  await app.register(ackord, { ...(redis && { redis }), ...(clock && { clock }) })
  await app.register(
    live.plugin({
      calls: messageCalls(redis ? redisStore(redis) : memoryStore()),
      rooms: { channel: { join: () => true } },
    }),
  )

  // Anybody may be anybody here: it is the one thing of this example not to copy.
  app.post<{ Body: Static<typeof SignIn> }>('/sign-in', { schema: { body: SignIn } }, ({ body }) => ({
    token: app.jwt.sign({ sub: body.name }, { expiresIn: '1h' }),
  }))

  await app.register(fastifyStatic, {
    root: page,
    setHeaders: (reply) => {
      reply.header(
        'content-security-policy',
        "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'",
      )
    },
  })
  return app
}
