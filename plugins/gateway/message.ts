/** One message on its way to many connections: written once for each codec in use, however many get it. */
import { frameOf } from './framing.js'

/** Makes the binary form of a message from its text. */
export type Pack = (text: string) => Uint8Array

/** A frame of the protocol that is sent as it is to whoever gets it. */
export class Message {
  /** As the text codec writes it. */
  readonly text: string
  readonly #pack: Pack
  #packed: Uint8Array | undefined
  #framedText: Buffer | undefined
  #framedPacked: Buffer | undefined

  constructor(text: string, pack: Pack) {
    this.text = text
    this.#pack = pack
  }

  /** The payload of the WebSocket message for a connection whose codec is binary, or is not. */
  payload(binary: boolean): string | Uint8Array {
    if (!binary) return this.text
    this.#packed ??= this.#pack(this.text)
    return this.#packed
  }

  /** The whole WebSocket frame, shared by all who get it; must not be changed. */
  frame(binary: boolean): Buffer {
    if (binary) {
      this.#framedPacked ??= frameOf(this.payload(true))
      return this.#framedPacked
    }
    this.#framedText ??= frameOf(this.text)
    return this.#framedText
  }
}
