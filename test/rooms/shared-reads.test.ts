import { describe, expect, it } from 'vitest'
import { SharedReads } from '../../plugins/rooms/redis/shared-reads.js'

/** Reads that a test answers. */
function start() {
  const reads = new SharedReads<number>()
  const begun: Array<{ answer(value: number): void; fail(): void }> = []
  const read = (key: string) =>
    reads.read(
      key,
      () =>
        new Promise((resolve, reject) => {
          begun.push({ answer: resolve, fail: () => reject(new Error('away')) })
        }),
    )
  return { begun, read }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('reads that are shared', () => {
  it('begin behind everybody who gets their answer', async () => {
    const { begun, read } = start()
    const first = read('a')
    const others = [read('a'), read('a')]
    expect(begun).toHaveLength(1)
    begun[0]?.answer(1)
    expect(await first).toBe(1)
    await turn()
    const late = read('a')
    expect(begun).toHaveLength(2)
    begun[1]?.answer(2)
    expect(await Promise.all(others)).toEqual([2, 2])
    await turn()
    begun[2]?.answer(3)
    expect(await late).toBe(3)
  })

  it('wait for none of another key, and begin at once when nobody reads any more', async () => {
    const { begun, read } = start()
    const all = [read('a'), read('b')]
    expect(begun).toHaveLength(2)
    for (const each of begun) each.answer(1)
    await Promise.all(all)
    void read('a')
    expect(begun).toHaveLength(3)
  })

  it('fail alone: who came meanwhile gets the next', async () => {
    const { begun, read } = start()
    const first = read('a')
    const next = read('a')
    begun[0]?.fail()
    await expect(first).rejects.toThrow('away')
    await turn()
    begun[1]?.answer(2)
    expect(await next).toBe(2)
  })
})
