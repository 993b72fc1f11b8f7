/**
 * The golden frames: what each frame looks like on the wire, with and without its optional elements. Written by hand
 * and never by the code under test; both sides and every codec must agree with them.
 */
import { readFileSync } from 'node:fs'
import { expect } from 'vitest'
import { FRAMES, type FrameName, type Side } from '../../contract/wire/frames.js'

/** One frame, as a value and as its text. */
export interface GoldenFrame {
  readonly name: FrameName
  /** Which of its elements are there, where some may be absent. */
  readonly case: string
  readonly frame: readonly unknown[]
  readonly text: string
}

const isFrameName = (name: unknown): name is FrameName =>
  typeof name === 'string' && Object.hasOwn(FRAMES, name)

function read(): GoldenFrame[] {
  const rows: unknown = JSON.parse(readFileSync(new URL('./golden.json', import.meta.url), 'utf8'))
  if (!Array.isArray(rows)) throw new Error('golden.json must hold a list')
  return rows.map((row: Partial<GoldenFrame>) => {
    if (!isFrameName(row.name) || !Array.isArray(row.frame) || typeof row.text !== 'string') {
      throw new Error(`golden.json: no frame: ${JSON.stringify(row)}`)
    }
    return { name: row.name, case: row.case ?? '', frame: row.frame, text: row.text }
  })
}

/** All golden frames. */
export const golden: readonly GoldenFrame[] = read()

/** The golden frames that one side sends. */
export const goldenFrom = (side: Side): readonly GoldenFrame[] =>
  golden.filter(({ name }) => FRAMES[name].from === side)

/**
 * Holds a reader of one side's frames against the golden ones: each text must give its frame.
 * @param decode what the other side reads with; `undefined` for frames it ignores
 */
export function expectDecoded(side: Side, decode: (text: string) => unknown): void {
  for (const row of goldenFrom(side)) expect({ ...row, frame: decode(row.text) }).toStrictEqual(row)
}

/** Holds a writer of one side's frames against the golden ones: each frame must give its text. */
export function expectEncoded(side: Side, encode: (frame: readonly unknown[]) => unknown): void {
  for (const row of goldenFrom(side)) expect({ ...row, text: encode(row.frame) }).toStrictEqual(row)
}
