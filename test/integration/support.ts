/** The whole way: a contract, a served namespace, the generated file and the runtime, joined in memory. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { FastifyInstance } from 'fastify'
import { createJiti } from 'jiti'
import { onTestFinished } from 'vitest'
import type { ClientOptions } from '../../client/index.js'
import { createClock, createNetwork } from '../../client/testing/index.js'
import { printClient } from '../../codegen/print-client.js'
import type { Contract } from '../../contract/index.js'

const source = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url))

/** Loads what `ackord generate` prints for a contract, as a module. */
export async function generated(contract: Contract): Promise<Record<string, unknown>> {
  const directory = mkdtempSync(join(tmpdir(), 'ackord-generated-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  const file = join(directory, 'generated.ts')
  writeFileSync(file, printClient(contract))
  return createJiti(import.meta.url, {
    alias: {
      'ackord/client/msgpack': source('client/msgpack.ts'),
      'ackord/client': source('client/index.ts'),
    },
  }).import(file)
}

/** A client as a test sees it that knows its contract only at run time. */
export interface AnyClient {
  readonly calls: Record<string, AnyCall & Record<string, AnyCall>>
  readonly events: {
    on(name: string, listener: (payload: unknown) => void): () => void
    handle(name: string, handler: (payload: unknown) => unknown): () => void
  }
  readonly rooms: Record<string, (params: unknown) => AnyRoom>
  readonly connection: { readonly state: string }
  close(): void
}
type AnyCall = ((input: unknown) => Promise<unknown>) & { result(input: unknown): Promise<unknown> }
interface AnyRoom {
  on(name: string, listener: (payload: unknown, info: unknown) => void): () => void
  join(options?: object): Promise<unknown>
}

/** Joins the generated clients of a contract to an app that serves it at `/live`. */
export async function joined(app: FastifyInstance, contract: Contract) {
  const clock = createClock()
  const network = await createNetwork(app)
  const module = await generated(contract)
  const create = Object.values(module).find((value) => typeof value === 'function') as (
    url: string,
    options: ClientOptions,
  ) => AnyClient
  onTestFinished(() => {
    network.cut()
    return app.close()
  })
  return {
    clock,
    network,
    enter(user: string, options: ClientOptions = {}): AnyClient {
      const client = create('ws://test/live', {
        token: () => user,
        WebSocket: network.WebSocket,
        clock,
        random: () => 0,
        ...options,
      })
      onTestFinished(() => client.close())
      return client
    },
  }
}
