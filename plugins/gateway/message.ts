/** One message on its way to many connections: written once for each codec in use, however many get it. */
import { frameOf, payloadsOf } from './framing.js'

/** Makes the binary form of a message from its text. */
export type Pack = (text: string) => Uint8Array

/** A frame of the protocol that is sent as it is to whoever gets it. */
export class Message {
  // At least one of the text and its frame is there.
  #text: string | undefined
  readonly #pack: Pack
  #packed: Uint8Array | undefined
  #framedText: Buffer | undefined
  #framedPacked: Buffer | undefined

  constructor(text: string, pack: Pack) {
    this.#text = text
    this.#pack = pack
  }

  /** A message whose text is framed already: those bytes are what is sent. The text is read out of them only where a codec needs it. */
  static ofFrame(frame: Buffer, pack: Pack): Message {
    const message = new Message('', pack)
    message.#text = undefined
    message.#framedText = frame
    return message
  }

  /** As the text codec writes it. */
  get text(): string {
    this.#text ??= textOf(this.frame(false))
    return this.#text
  }

  /** The frame of the text, where it has been made. */
  get framed(): Buffer | undefined {
    return this.#framedText
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
    this.#framedText ??= frameOf(this.#text ?? '')
    return this.#framedText
  }
}

function textOf(frame: Buffer): string {
  const decoder = new TextDecoder()
  let text = ''
  for (const { payload } of payloadsOf(frame)) text += decoder.decode(payload)
  return text
}
