/** Events outside rooms: validated, encoded once, written to whomever they are for. PROTOCOL.md § Events and asks. */
import type { EventDefinition } from '../../contract/contract.js'
import { FRAMES } from '../../contract/wire/index.js'
import { AckordError } from '../errors.js'
import { type Connection, Message, type Mount } from '../gateway/index.js'
import { type AskOptions, AskRound } from './asks.js'
import { compileInput, type Input } from './input.js'
import { compilePayload, type Payload, PLACE } from './payload.js'

interface CompiledEvent {
  readonly name: string
  readonly payload: Payload
  readonly ack: Input | undefined
  readonly volatile: boolean
}

/** Sends the events of one namespace. */
export class Events {
  readonly #mount: Mount
  readonly #events: ReadonlyMap<string, CompiledEvent>
  // One number for a whole round, so that its frame is the same for everybody.
  #lastAsk = 0

  /** Compiles every event. */
  constructor(mount: Mount) {
    this.#mount = mount
    this.#events = new Map(
      Object.entries(mount.contract.events ?? {}).map(([name, event]) => [
        name,
        compileEvent(mount, name, event),
      ]),
    )
  }

  /** Tells connections; how many took it. Throws ACKORD_UNKNOWN_NAME, ACKORD_INVALID_PAYLOAD. */
  send(connections: Iterable<Connection>, name: string, payload: unknown): number {
    const event = this.#event(name)
    const message = messageOf(event, event.payload(payload))
    let taken = 0
    for (const connection of connections) {
      if (connection.phase === 'open' && connection.sendMessage(message, event.volatile ? 'drop' : 'close'))
        taken++
    }
    return taken
  }

  /** Asks connections, all at once. Throws ACKORD_UNKNOWN_NAME, ACKORD_INVALID_PAYLOAD. */
  ask(connections: Iterable<Connection>, name: string, payload: unknown, options: AskOptions): AskRound {
    const event = this.#event(name)
    if (event.ack === undefined)
      throw new AckordError('ACKORD_UNKNOWN_NAME', `event ${name} has no ack to ask for`)
    const ask = ++this.#lastAsk
    const message = messageOf(event, `${event.payload(payload)},${ask}`)
    return new AskRound(this.#mount.clock, ask, [...connections], message, event.ack, options)
  }

  #event(name: string): CompiledEvent {
    const event = this.#events.get(name)
    if (event === undefined) throw new AckordError('ACKORD_UNKNOWN_NAME', `event ${name}`)
    return event
  }
}

const messageOf = ({ name, payload }: CompiledEvent, elements: string): Message =>
  new Message(`[${FRAMES.EVENT.type},${JSON.stringify(name)},${elements}]`, payload.pack)

function compileEvent(mount: Mount, name: string, definition: EventDefinition): CompiledEvent {
  return {
    name,
    payload: compilePayload(mount, definition.payload, `the event ${JSON.stringify(name)}`, PLACE.EVENT),
    ack: definition.ack && compileInput(mount.contract, definition.ack),
    volatile: (definition.delivery ?? 'volatile') === 'volatile' && definition.ack === undefined,
  }
}
