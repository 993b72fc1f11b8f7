/** What the scripts of a room's log answer: one flat list of texts, read from its start. */
import type { GapReason, Position, Publication, RoomLog } from '../broker.js'
import type { Head, PublishReply } from './log.js'

/** A reply that is being read. Throws a TypeError where it is none of ours. */
export class Reply {
  readonly #texts: readonly unknown[]
  #at = 0

  constructor(reply: unknown) {
    if (!Array.isArray(reply)) throw new TypeError('The reply of a room script is no list')
    this.#texts = reply
  }

  /** The next text. */
  text(): string {
    const text = this.#texts[this.#at++]
    if (typeof text !== 'string') throw new TypeError('The reply of a room script ends early')
    return text
  }

  /** The next text, which is a number. */
  number(): number {
    return Number(this.text())
  }

  /** Epoch, offset, tag and version. */
  head({ history }: RoomLog): Head {
    const position = { epoch: this.text(), offset: this.number(), tag: this.number() }
    return { position: history && position, version: this.number() }
  }

  /** A gap's reason, or nothing. */
  gap(): GapReason | undefined {
    const gap = this.text()
    switch (gap) {
      case '':
        return undefined
      case 'epoch':
      case 'forked':
      case 'trimmed':
      case 'tooMany':
        return gap
      default:
        throw new TypeError(`The reply of a room script has the gap ${gap}`)
    }
  }

  /** What became of one publication. */
  result(epoch: string): PublishReply['results'][number] {
    const answer = this.text()
    if (answer === 'TOO_LARGE' || answer === 'NO_HISTORY') return answer
    return answer === '-' ? null : positionOf(epoch, answer)
  }

  /** Publications of the log. */
  publications(count: number, epoch: string): Publication[] {
    return Array.from({ length: count }, () => {
      const position = positionOf(epoch, this.text())
      const [event, payload, except] = [this.text(), this.text(), this.text()]
      return {
        event,
        delivery: 'recoverable',
        payload,
        latestKey: undefined,
        except: except === '' ? undefined : except,
        position,
      }
    })
  }

  /** The rest: `latest` values. */
  values(): Publication[] {
    const values: Publication[] = []
    while (this.#at < this.#texts.length) {
      const value = this.text()
      const end = value.indexOf('\n')
      const label: unknown = JSON.parse(`${value.slice(0, end)}]`)
      const [event, , latestKey, except] = Array.isArray(label) ? (label as unknown[]) : []
      values.push({
        event: String(event),
        delivery: 'latest',
        payload: value.slice(end + 1),
        latestKey: typeof latestKey === 'string' ? latestKey : undefined,
        except: typeof except === 'string' ? except : undefined,
        position: undefined,
      })
    }
    return values
  }
}

/** From the id of an entry: `offset-tag`. */
function positionOf(epoch: string, id: string): Position {
  const [offset, tag] = id.split('-')
  return { epoch, offset: Number(offset), tag: Number(tag) }
}
