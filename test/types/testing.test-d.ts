import Fastify from 'fastify'
import { expectAssignable, expectError, expectType } from 'tsd'
import { createClock, createNetwork, type Network, type TestClock } from '../../dist/client/testing/index.js'
import type { ClientOptions } from '../../dist/client/types.js'

const clock = createClock({ wall: 0 })
expectType<TestClock>(clock)
expectType<number>(clock.pending)
expectType<Promise<void>>(clock.advanceAsync(1))

const network = await createNetwork(Fastify(), { headers: { origin: 'https://app.example' } })
expectType<Network>(network)
expectAssignable<ClientOptions>({ clock, WebSocket: network.WebSocket })

// Every app that speaks HTTP/1.1, whatever its type parameters.
await createNetwork(Fastify({ https: {} }))
await createNetwork(Fastify({ logger: true }))

expectError(createNetwork({}))
expectError(createNetwork(Fastify(), { port: 1 }))
expectError(network.connections.push())
