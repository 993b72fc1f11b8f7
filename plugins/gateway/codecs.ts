/** The codecs a server speaks, and what turns the text of one into the bytes of the other. PROTOCOL.md § Subprotocols and codecs. */
import {
  type ClientFrame,
  type Codec,
  clientFrameDecoder,
  type Decoder,
  jsonCodec,
} from '../../contract/wire/index.js'
import type { Pack } from './message.js'

/** A codec as a connection has it. */
export interface ServedCodec extends Codec {
  /** Reads one message of a client. Throws a Violation. */
  readonly decode: Decoder<ClientFrame>
}

/** Puts bytes in the places where a schema has them and JSON has their base64. Changes what it is given. */
export type Revive = (value: unknown) => unknown

const served = (codec: Codec): ServedCodec => ({ ...codec, decode: clientFrameDecoder(codec) })

/** The codecs of one app: text, and binary where msgpackr is installed. */
export class Codecs {
  readonly text: ServedCodec = served(jsonCodec)
  readonly binary: ServedCodec | undefined
  /** Their subprotocols, the text codec's first. */
  readonly subprotocols: readonly string[]

  constructor(binary: Codec | undefined) {
    this.binary = binary && served(binary)
    this.subprotocols = [this.text, this.binary].flatMap((codec) => codec?.subprotocol ?? [])
  }

  /** The first of the subprotocols offered that is spoken here. */
  choose(offered: Iterable<string>): string | undefined {
    for (const name of offered) if (this.subprotocols.includes(name)) return name
    return undefined
  }

  /** The codec of a subprotocol that `choose` gave. */
  of(subprotocol: string): ServedCodec {
    return subprotocol === this.binary?.subprotocol ? this.binary : this.text
  }

  /** Makes the binary form of frames whose payload, if any, holds no bytes. */
  readonly pack: Pack = (text) => this.#encode(JSON.parse(text) as ClientFrame)

  /** Makes the binary form of frames whose elements `at` are payloads with bytes in them. */
  packer(at: number | readonly number[], revive: Revive | undefined): Pack {
    if (revive === undefined) return this.pack
    return (text) => {
      const frame = JSON.parse(text) as unknown[]
      for (const each of [at].flat()) frame[each] = revive(frame[each])
      return this.#encode(frame as unknown as ClientFrame)
    }
  }

  #encode(frame: ClientFrame): Uint8Array {
    const { binary } = this
    if (binary === undefined) throw new Error('no connection is binary without a binary codec')
    return binary.encode(frame) as Uint8Array
  }
}

/** The codecs that can be spoken: msgpackr is an optional peer. */
export async function loadCodecs(): Promise<Codecs> {
  try {
    const { msgpackCodec } = await import('../../contract/wire/msgpack.js')
    return new Codecs(msgpackCodec)
  } catch (error) {
    if (isMissing(error)) return new Codecs(undefined)
    throw error
  }
}

const isMissing = (error: unknown): boolean =>
  error instanceof Error &&
  'code' in error &&
  error.code === 'ERR_MODULE_NOT_FOUND' &&
  error.message.includes('msgpackr')
