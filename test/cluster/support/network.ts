/** Nodes in one process whose messages a test can hold up, lose and look at. */
import { createClock } from '../../../client/testing/index.js'
import { Bus } from '../../../plugins/cluster/bus.js'
import type { ClusterAnswer } from '../../../plugins/cluster/cluster.js'
import { Handlers } from '../../../plugins/cluster/handlers.js'
import { type BusMessage, decodeMessage } from '../../../plugins/cluster/messages.js'

/** What a test does with a message: hands it on, loses it, or fails to send it. */
export type Fate = 'deliver' | 'lose' | 'fail'

/** A node of it. */
export interface TestNode {
  readonly bus: Bus
  readonly handlers: Handlers
}

/** Buses joined in memory; messages take a step each. */
export function network(names: readonly string[]) {
  const clock = createClock()
  const errors: unknown[] = []
  const sent: Array<{
    readonly to: string | undefined
    readonly message: BusMessage
    readonly bytes: number
  }> = []
  const state = { isUp: true, fate: (_message: BusMessage, _to: string | undefined): Fate => 'deliver' }
  const nodes = new Map<string, TestNode>()
  for (const node of names) {
    const handlers = new Handlers((error) => errors.push(error))
    const send = async (text: string, to: string | undefined): Promise<void> => {
      const bytes = Buffer.from(text)
      const message = decodeMessage(bytes)
      if (message === undefined) throw new Error('no message of this version')
      sent.push({ to, message, bytes: bytes.byteLength })
      const fate = state.fate(message, to)
      if (fate === 'fail') throw new Error('Redis is away')
      if (fate === 'deliver')
        for (const [name, { bus }] of nodes) if (to === undefined || to === name) bus.receive(bytes)
    }
    const others = (): string[] => [...nodes.keys()].filter((name) => name !== node)
    const bus = new Bus({ node, clock, handlers, others, isUp: () => state.isUp, send, onUnsent: () => {} })
    nodes.set(node, { bus, handlers })
  }
  const node = (name: string): TestNode => {
    const found = nodes.get(name)
    if (found === undefined) throw new Error(`no node ${name}`)
    return found
  }
  return { clock, errors, sent, state, nodes, node }
}

/** All answers, as `b 1` and `b nodeLost`. */
export async function all(answers: AsyncIterable<ClusterAnswer>): Promise<string[]> {
  const list: string[] = []
  for await (const answer of answers) list.push(told(answer))
  return list
}

/** One answer in few words. */
export const told = (answer: ClusterAnswer): string =>
  `${answer.node} ${answer.lost ?? JSON.stringify(answer.value)}`
