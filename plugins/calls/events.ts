/** Events outside rooms: validated, encoded once, written to whomever they are for. PROTOCOL.md § Events and asks. */
import type { TSchema } from '@sinclair/typebox'
import type { EventDefinition } from '../../contract/contract.js'
import { FRAMES } from '../../contract/wire/index.js'
import { AckordError } from '../errors.js'
import { type Connection, Message, type Mount } from '../gateway/index.js'
import { type AskOptions, AskRound } from './asks.js'
import { compileInput, type Input } from './input.js'
import { compilePayload, type Payload, PLACE } from './payload.js'
import { compileSerializer, type Serialize, UnsendableValue } from './serialize.js'

interface CompiledEvent {
  readonly name: string
  readonly payload: Payload
  readonly ack: CompiledAck | undefined
  readonly volatile: boolean
  /** It goes into inboxes, and by no EVENT. PROTOCOL.md § Inbox. */
  readonly isKept: boolean
}

interface CompiledAck {
  readonly input: Input
  readonly write: Serialize
}

interface AskedEvent extends CompiledEvent {
  readonly ack: CompiledAck
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

  /** Tells connections; how many took it. Throws ACKORD_UNKNOWN_NAME, ACKORD_WRONG_DELIVERY, ACKORD_INVALID_PAYLOAD. */
  send(connections: Iterable<Connection>, name: string, payload: unknown): number {
    return this.sendText(connections, name, this.text(name, payload))
  }

  /** Whether there is such an event, and it reaches who is connected now and nobody else. */
  isPassing(name: string): boolean {
    return this.#events.get(name)?.isKept === false
  }

  /** The JSON text of an event, as every node sends it. Throws ACKORD_UNKNOWN_NAME, ACKORD_WRONG_DELIVERY, ACKORD_INVALID_PAYLOAD. */
  text(name: string, payload: unknown): string {
    const event = this.#event(name)
    if (event.isKept)
      throw new AckordError('ACKORD_WRONG_DELIVERY', `${name} is recoverable: app.ackord(live).user(id).send`)
    return event.payload(payload)
  }

  /** Tells connections what `text` made, here or on another node; how many took it. Throws ACKORD_UNKNOWN_NAME. */
  sendText(connections: Iterable<Connection>, name: string, text: string): number {
    const event = this.#event(name)
    const message = messageOf(event, text)
    let taken = 0
    for (const connection of connections) {
      if (connection.phase === 'open' && connection.sendMessage(message, event.volatile ? 'drop' : 'close'))
        taken++
    }
    return taken
  }

  /** Asks connections, all at once. Throws ACKORD_UNKNOWN_NAME, ACKORD_INVALID_PAYLOAD. */
  ask(connections: Iterable<Connection>, name: string, payload: unknown, options: AskOptions): AskRound {
    return this.askText(connections, name, this.question(name, payload), options)
  }

  /** The JSON text of a question, as every node sends it. Throws ACKORD_UNKNOWN_NAME, ACKORD_INVALID_PAYLOAD. */
  question(name: string, payload: unknown): string {
    return this.#asked(name).payload(payload)
  }

  /** Asks what `question` made, here or on another node. Throws ACKORD_UNKNOWN_NAME. */
  askText(connections: Iterable<Connection>, name: string, text: string, options: AskOptions): AskRound {
    const event = this.#asked(name)
    const ask = ++this.#lastAsk
    const message = messageOf(event, `${text},${ask}`)
    return new AskRound(this.#mount.clock, ask, [...connections], message, event.ack.input, options)
  }

  /** The JSON text of an answer, for the node that asked; undefined where there is none of it. Throws ACKORD_UNKNOWN_NAME. */
  answerText(name: string, value: unknown): string | undefined {
    const { ack } = this.#asked(name)
    try {
      return ack.write(value)
    } catch (error) {
      if (error instanceof UnsendableValue) return undefined
      throw error
    }
  }

  /** The answer in what `answerText` made on another node. Throws ACKORD_UNKNOWN_NAME; CallError where it does not fit here. */
  answer(name: string, text: string): unknown {
    return this.#asked(name).ack.input(JSON.parse(text), false)
  }

  #asked(name: string): AskedEvent {
    const event = this.#event(name)
    const { ack } = event
    if (ack === undefined) throw new AckordError('ACKORD_UNKNOWN_NAME', `event ${name} has no ack to ask for`)
    return { ...event, ack }
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
    ack: definition.ack && compileAck(mount, definition.ack),
    volatile: (definition.delivery ?? 'volatile') === 'volatile' && definition.ack === undefined,
    isKept: definition.delivery === 'recoverable',
  }
}

const compileAck = ({ contract }: Mount, schema: TSchema): CompiledAck => ({
  input: compileInput(contract, schema),
  write: compileSerializer(contract, schema),
})
