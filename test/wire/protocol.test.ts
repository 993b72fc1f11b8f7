import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { GapReason as InClient } from '../../client/types.js'
import type { CallDelivery, EventDelivery } from '../../contract/contract.js'
import { CLOSE, type CloseCode, type Retry, reconnects } from '../../contract/wire/close-codes.js'
import { jsonCodec, MAX_DEPTH } from '../../contract/wire/codec.js'
import { ERRORS } from '../../contract/wire/errors.js'
import { FEATURES } from '../../contract/wire/features.js'
import { FIRST_FLIGHT, HANDSHAKE_MS, TOKEN_SUBPROTOCOL } from '../../contract/wire/first-flight.js'
import { FRAMES, IGNORED_TYPES, MAX_TEXT, MAX_TOKEN } from '../../contract/wire/frames.js'
import { GAPS } from '../../contract/wire/gaps.js'
import { msgpackCodec } from '../../contract/wire/msgpack.js'
import type { GapReason as InBroker } from '../../plugins/rooms/broker.js'

const document = readFileSync(new URL('../../PROTOCOL.md', import.meta.url), 'utf8')

/** The rows of the one table with this head, cells trimmed. */
function table(...head: readonly string[]): string[][] {
  const cells = (line: string): string[] =>
    line
      .replace(/^\||\|$/g, '')
      .split('|')
      .map((cell) => cell.trim())
  const lines = document.split('\n')
  const starts = lines.flatMap((line, i) =>
    line.startsWith('|') && cells(line).join() === head.join() ? [i] : [],
  )
  expect(starts).toHaveLength(1)
  const rows: string[][] = []
  for (let i = (starts[0] ?? 0) + 2; lines[i]?.startsWith('|'); i++) rows.push(cells(lines[i] ?? ''))
  return rows
}

/** The text in backticks. */
const code = (cell = ''): string => /^`([^`]*)`$/.exec(cell)?.[1] ?? `no code: ${cell}`
const group = (n: number): string => n.toLocaleString('en-US')

describe('PROTOCOL.md and the code say the same of', () => {
  it('frames: number, name, sender, elements and which of them may be absent', () => {
    const written = table('number', 'frame', 'from', 'elements').map(
      ([number, name, from, elements = '']) => ({
        number: Number(number),
        name,
        from,
        optional: elements === '' ? [] : elements.split(',').map((element) => element.endsWith('?')),
      }),
    )
    const declared = Object.entries(FRAMES).map(([key, { type, from, fields }]) => ({
      number: type,
      name: key.replace(/^S_/, ''),
      from,
      optional: fields.map((field) => field(undefined)),
    }))
    expect(written).toEqual(declared.toSorted((a, b) => a.number - b.number))
    expect(new Set(declared.map(({ number }) => number)).size).toBe(declared.length)
  })

  it('elements: those that may be absent come last, so that none is sent for nothing', () => {
    for (const { fields } of Object.values(FRAMES)) {
      const optional = fields.map((field) => field(undefined))
      expect(optional).toEqual(optional.toSorted())
    }
  })

  it('close codes: number, name, sender, when a client comes back, reason', () => {
    const written = table('code', 'name', 'sent by', 'client comes back', 'reason')
    const declared = Object.entries<CloseCode>(CLOSE).map(([name, close]) => [
      String(close.code),
      name,
      close.by,
      close.retry,
      close.reason,
    ])
    expect(written).toEqual(declared)
  })

  it('what a client does after a close code, by its range and by RFC 6455', () => {
    for (const { code, retry } of Object.values<CloseCode>(CLOSE))
      expect([code, reconnects(code)]).toEqual([code, retry !== 'never'])
    const retries: readonly Retry[] = ['now', 'backoff', 'slow', 'never']
    expect(Object.values<CloseCode>(CLOSE).map(({ retry }) => retries.includes(retry))).not.toContain(false)
    expect([4000, 4499, 4500, 4999, 3000, 1010, 1015, 0, 999, 5000].map(reconnects)).toEqual([
      true,
      true,
      false,
      false,
      true,
      false,
      false,
      true,
      true,
      true,
    ])
  })

  it('reasons that fit into a close frame', () => {
    for (const { reason } of Object.values<CloseCode>(CLOSE)) {
      expect(Buffer.byteLength(reason)).toBeLessThanOrEqual(123)
    }
  })

  it('errors: code, who makes it, whether a repeat may help', () => {
    const written = table('code', 'made by', 'retry', 'data').map(([name, by, retry]) => [
      code(name),
      by,
      retry,
    ])
    const declared = Object.entries(ERRORS).map(([name, { by, retry }]) => [name, by, retry ? 'yes' : 'no'])
    expect(written).toEqual(declared)
  })

  it('gaps, as the client and the broker know them', () => {
    const client: Record<InClient, true> = { epoch: true, forked: true, trimmed: true, tooMany: true }
    const broker: Record<InBroker, true> = client
    expect(table('gap', 'meaning').map(([gap]) => code(gap))).toEqual([...GAPS])
    expect(Object.keys(broker)).toEqual([...GAPS])
  })

  it('deliveries', () => {
    const calls = { attempt: true, repeat: true, once: true, volatile: true } satisfies Record<
      CallDelivery,
      true
    >
    const events = { volatile: true, latest: true, recoverable: true } satisfies Record<EventDelivery, true>
    expect(
      table('call delivery', 'no connection', 'connection lost while in flight').map(([word]) => code(word)),
    ).toEqual(Object.keys(calls))
    expect(table('event delivery', 'slow or absent receiver').map(([word]) => code(word))).toEqual(
      Object.keys(events),
    )
  })

  it('features: name and who names it', () => {
    const written = table('feature', 'named by', 'meaning').map(([feature, by]) => [code(feature), by])
    expect(written).toEqual(Object.entries(FEATURES).map(([feature, { by }]) => [feature, by]))
  })

  it('subprotocols and codecs', () => {
    const codecs = [jsonCodec, msgpackCodec].map(({ subprotocol, binary }) => [
      subprotocol,
      binary ? 'binary' : 'text',
    ])
    expect(table('subprotocol', 'messages', 'codec').map(([name, kind]) => [code(name), kind])).toEqual(
      codecs,
    )
    expect(document).toContain(`subprotocol \`${TOKEN_SUBPROTOCOL}\``)
  })

  it('numbers', () => {
    const prose = document.replace(/\s+/g, ' ')
    expect(prose).toContain(`at most ${group(MAX_TEXT)} UTF-16 units, a token at most ${group(MAX_TOKEN)}`)
    expect(prose).toContain(`nests at most ${MAX_DEPTH} deep`)
    expect(prose).toContain(`numbered ${IGNORED_TYPES.from}–${IGNORED_TYPES.to} are ignored`)
    expect(prose).toContain(`at most ${FIRST_FLIGHT.frames} frames and ${FIRST_FLIGHT.bytes / 1024} KiB`)
    expect(prose).toContain(`No HELLO within ${HANDSHAKE_MS / 1000} s`)
  })

  it('codes in the text: every close code and error that it names is in a table', () => {
    const codes = [...document.matchAll(/\bcloses (?:the older one with )?(\d{4})\b/g)].map((match) =>
      Number(match[1]),
    )
    const known = new Set<number>(Object.values<CloseCode>(CLOSE).map((close) => close.code))
    expect(codes.length).toBeGreaterThan(5)
    expect(codes.filter((number) => !known.has(number))).toEqual([])
    const words = [...document.matchAll(/`([A-Z][A-Z_]+)`/g)].map((match) => match[1] ?? '')
    const refusals = table('status', 'code', 'why').flatMap(([, codes = '']) => codes.match(/[A-Z_]+/g) ?? [])
    const answers = ['NO_HANDLER', 'FAILED', ...refusals]
    expect(words.filter((word) => !Object.hasOwn(ERRORS, word) && !answers.includes(word))).toEqual([])
  })
})
