import { describe, expect, it } from 'vitest'
import { clientFrameDecoder, jsonCodec, serverFrameDecoder } from '../../contract/wire/codec.js'
import { type ClientFrame, FRAMES, type FrameName } from '../../contract/wire/frames.js'
import { expectDecoded, expectEncoded, golden } from './golden.js'

const fromClient = clientFrameDecoder(jsonCodec)
const fromServer = serverFrameDecoder(jsonCodec)

describe('the golden frames', () => {
  it('are read as what they are', () => {
    expectDecoded('client', fromClient)
    expectDecoded('server', fromServer)
  })

  it('are written as they stand', () => {
    // golden.json has no types; the test above has just found each row to be what its name says.
    const encode = (frame: readonly unknown[]) => jsonCodec.encode(frame as unknown as ClientFrame)
    expectEncoded('client', encode)
    expectEncoded('server', encode)
  })

  it.each(Object.keys(FRAMES) as FrameName[])(
    'show %s with and without each element that may be absent',
    (name) => {
      const rows = golden.filter((row) => row.name === name)
      expect(rows.length).toBeGreaterThan(0)
      const { type, fields } = FRAMES[name]
      expect(rows.map(({ frame }) => frame[0])).toEqual(rows.map(() => type))
      fields.forEach((field, i) => {
        const optional = field(undefined)
        const elements = rows.map(({ frame }) => frame[i + 1] ?? undefined)
        // A value may be null, which is not absence.
        expect(elements.some((element) => element !== undefined)).toBe(true)
        if (optional) expect(elements).toContain(undefined)
      })
    },
  )
})
