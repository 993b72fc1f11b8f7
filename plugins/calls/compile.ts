/** A namespace's calls, compiled once at the start: validators, serializers, handlers. */
import type { CallDefinition } from '../../contract/contract.js'
import { AckordError } from '../errors.js'
import type { Mount } from '../gateway/index.js'
import type { Context } from './context.js'
import { CallError } from './errors.js'
import { compileInput, type Input } from './input.js'
import { compilePayload, type Payload, PLACE } from './payload.js'

/** A handler as the dispatcher sees it; its typed face is `Handler` in plugins/namespace/types.ts. */
export type AnyHandler = (input: unknown, context: Context) => unknown

/** One call, ready to run. */
export interface CompiledCall {
  readonly name: string
  readonly volatile: boolean
  readonly input: Input
  /** Absent: the ack is null. */
  readonly ack: Payload | undefined
  /** Of a stream. */
  readonly item: Payload | undefined
  readonly errors: ReadonlyMap<string, Payload>
  readonly handler: AnyHandler
  /** Throws: handlers may use it detached. */
  readonly fail: (code: string, data: unknown) => never
}

/** Compiles every call. Throws ACKORD_HANDLER_MISSING, ACKORD_HANDLER_UNKNOWN, ACKORD_INVALID_HANDLER. */
export function compileCalls(mount: Mount): ReadonlyMap<string, CompiledCall> {
  const definitions = Object.entries(mount.contract.calls ?? {})
  const handlers = new Map(Object.entries((mount.part('calls') ?? {}) as Record<string, unknown>))
  const table = new Map<string, CompiledCall>()
  for (const [name, definition] of definitions) {
    const handler = handlers.get(name)
    if (typeof handler !== 'function') {
      throw new AckordError('ACKORD_HANDLER_MISSING', `calls[${JSON.stringify(name)}] of ${mount.path}`)
    }
    const wrong = wrongKind(definition, handler.constructor.name)
    if (wrong !== undefined)
      throw new AckordError(
        'ACKORD_INVALID_HANDLER',
        `calls[${JSON.stringify(name)}] of ${mount.path}: ${wrong}`,
      )
    table.set(name, compileCall(mount, name, definition, handler as AnyHandler))
    handlers.delete(name)
  }
  const [unknown] = handlers.keys()
  if (unknown !== undefined)
    throw new AckordError('ACKORD_HANDLER_UNKNOWN', `calls[${JSON.stringify(unknown)}]`)
  return table
}

// What any other function returns is seen only when it runs: it may well be, or not be, an async generator.
function wrongKind({ item }: CallDefinition, kind: string): string | undefined {
  if (item === undefined)
    return kind.endsWith('GeneratorFunction')
      ? 'the contract has no `item` for it, return the ack'
      : undefined
  return kind === 'AsyncFunction' || kind === 'GeneratorFunction'
    ? 'an async generator (`async function*`) makes the items of a stream'
    : undefined
}

function compileCall(
  mount: Mount,
  name: string,
  definition: CallDefinition,
  handler: AnyHandler,
): CompiledCall {
  const { contract } = mount
  const errors = new Map(
    Object.entries(definition.errors ?? {}).map(([code, schema]) => [
      code,
      compilePayload(mount, schema, `the data of ${code}`, PLACE.FAIL),
    ]),
  )
  return {
    name,
    volatile: definition.delivery === 'volatile',
    input: compileInput(contract, definition.input),
    ack: definition.ack && compilePayload(mount, definition.ack, `the ack of ${JSON.stringify(name)}`),
    item: definition.item && compilePayload(mount, definition.item, `an item of ${JSON.stringify(name)}`),
    errors,
    handler,
    fail(code, data) {
      if (!errors.has(code)) {
        throw new AckordError('ACKORD_UNKNOWN_NAME', `errors of ${name}: ${code}`)
      }
      throw new CallError(code, data)
    },
  }
}
