import { describe, expect, it } from 'vitest'
import { decodeLive, encodeLive } from '../../plugins/rooms/redis/live.js'
import { latest, volatile } from '../conformance/broker-support.js'
import { Dice } from '../fuzz/dice.js'

const ROOM = '/chat room:"ż"'

describe('a live message', () => {
  it('holds volatile publications and their frames, and moves nothing that is kept', () => {
    const batch = ['a', 'ż🚀'.repeat(100), 'x'.repeat(70_000)].map((text) =>
      volatile(text, { except: 'ann' }),
    )
    const { publications, ...rest } = decodeLive(encodeLive(ROOM, batch))
    expect(rest).toEqual({
      epoch: undefined,
      previousTag: undefined,
      previousVersion: undefined,
      version: undefined,
    })
    expect(publications.map(({ payload }) => payload)).toEqual(batch.map(({ payload }) => payload))
    expect(publications).toMatchObject(
      batch.map(() => ({ event: 'typing', delivery: 'volatile', except: 'ann', position: undefined })),
    )
    const headers = publications.map(({ frame }) => [...(frame?.subarray(0, 2) ?? [])])
    expect(headers).toEqual([
      [0x81, 31],
      [0x81, 126],
      [0x81, 127],
    ])
    for (const { frame, payload } of publications) {
      expect(frame?.toString()).toContain(`[23,${JSON.stringify('room:"ż"')},"typing",${payload}]`)
    }
  })

  it('is refused where it is cut, longer, or another one', () => {
    const whole = encodeLive(ROOM, [volatile('one'), latest('k', 'two')])
    for (let length = 0; length < whole.length; length++) {
      expect(() => decodeLive(whole.subarray(0, length))).toThrow()
    }
    expect(() => decodeLive(Buffer.concat([whole, Buffer.from('x')]))).toThrow(TypeError)
    const withHead = (head: string) => {
      const size = Buffer.alloc(4)
      size.writeUInt32BE(head.length)
      return Buffer.concat([size, Buffer.from(head)])
    }
    for (const head of ['1', 'null', '{}', '[]', '[null,null,null,1]', '[null,null,null,[1]]']) {
      expect(() => decodeLive(withHead(head))).toThrow(TypeError)
    }
    for (const entry of [
      '["e","often",null,null,null,null,0,0,0]',
      '["e","volatile",null,null,null,null,-1,1,0]',
      '["e","volatile",null,null,null,null,1e9,0,0]',
      '["e","recoverable",null,null,null,null,0,0,0]',
      '["e","recoverable",null,null,1.5,1,0,0,0]',
    ]) {
      expect(() => decodeLive(withHead(`["epoch",1,1,[${entry}],1]`))).toThrow(TypeError)
    }
  })

  it('throws nothing but a TypeError or a SyntaxError, whatever bytes come', () => {
    const whole = encodeLive(ROOM, [volatile('one'), volatile('two')])
    const dice = new Dice(7)
    let refused = 0
    for (let i = 0; i < 5000; i++) {
      const bytes = Buffer.from(whole)
      bytes[dice.below(bytes.length)] = dice.below(256)
      try {
        decodeLive(bytes)
      } catch (error) {
        refused++
        if (!(error instanceof TypeError || error instanceof SyntaxError)) throw error
      }
    }
    expect(refused).toBeGreaterThan(1000)
  })
})
