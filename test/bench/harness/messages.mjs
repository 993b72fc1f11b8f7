/** What is sent: the same objects for every peer, alike but for their ids. */
import { isDeepStrictEqual } from 'node:util'

/** Ids are of one width, so that all frames of a kind are of one length. */
export const FIRST_ID = 100_000
/** So many ids are used, in a circle: far more than are ever in flight on one connection. */
export const POOL = 256

/**
 * The message of a call: 118 bytes as JSON.
 * @param {number} id
 */
export const rpcMessage = (id) => ({
  id,
  channelId: 'general',
  from: 'user-4711',
  text: 'the quick brown fox jumps over them',
  at: 1767225600000,
})

/**
 * The payload of a publication: 200 bytes as JSON.
 * @param {number} id
 */
export const publication = (id) => ({
  id,
  from: 'user-4711',
  text: 'the quick brown fox jumps over the lazy dog, and the dog, for once, gets up and follows it home through the rain.',
  at: 1767225600000,
  edited: false,
  likes: 12,
})

for (const [message, bytes] of /** @type {const} */ ([
  [rpcMessage, 118],
  [publication, 200],
])) {
  const is = JSON.stringify(message(FIRST_ID)).length
  if (is !== bytes) throw new Error(`${message.name} is ${is} bytes, not ${bytes}`)
}

/** A peer sent something that it should not have. */
export class WrongAnswer extends Error {}

/**
 * Checks what a peer sends. The first message of each id is parsed and compared value by value; after that
 * it is enough that the bytes are the same, which costs the load generator little.
 */
export class Checker {
  /** How many were found right. */
  checked = 0
  /** @type {Array<Buffer | undefined>} */
  #seen = new Array(POOL)
  #read
  #message
  #alike

  /**
   * @param {(text: string) => { id: number, value: unknown } | undefined} read the peer's answer in a text
   * @param {(id: number) => unknown} message what the answer of an id must be
   * @param {(data: Buffer, end: number) => number} [alike] where that ends which is the same bytes each time
   */
  constructor(read, message, alike = (_, end) => end) {
    this.#alike = alike
    this.#read = read
    this.#message = message
  }

  /**
   * Whether these bytes are the ones that were found right for this index (id - FIRST_ID) before.
   * @param {number} index
   * @param {Buffer} data
   * @param {number} start
   * @param {number} end
   */
  matches(index, data, start, end) {
    const seen = this.#seen[index]
    if (seen === undefined || data.compare(seen, 0, seen.length, start, this.#alike(data, end)) !== 0)
      return false
    this.checked++
    return true
  }

  /**
   * Reads and checks an answer; returns its index. Throws a WrongAnswer.
   * @param {Buffer} data
   * @param {number} start
   * @param {number} end
   */
  check(data, start, end) {
    const text = data.toString('utf8', start, end)
    const answer = this.#read(text)
    const index = answer === undefined ? -1 : answer.id - FIRST_ID
    if (answer === undefined || !(index >= 0 && index < POOL)) throw new WrongAnswer(`not an answer: ${text}`)
    if (!isDeepStrictEqual(answer.value, this.#message(answer.id))) {
      throw new WrongAnswer(`not the answer of ${answer.id}: ${text}`)
    }
    this.checked++
    this.#seen[index] = Buffer.from(data.subarray(start, this.#alike(data, end)))
    return index
  }
}

/**
 * The index of the id whose six digits stand at `at`; outside 0 to POOL - 1 where none stands there.
 * @param {Buffer} data
 * @param {number} at
 */
export function indexAt(data, at) {
  let id = 0
  for (let i = at; i < at + 6; i++) id = id * 10 + (data[i] ?? 0) - 48
  return id - FIRST_ID
}
