import { describe, expect, it } from 'vitest'
import { End, Pipe } from '../../client/testing/pipe.js'
import { settle } from '../../client/testing/settle.js'

function connection() {
  const up = new Pipe()
  const down = new Pipe()
  return { up, down, near: new End(down, up, 1), far: new End(up, down, 1) }
}

function read(end: End): string[] {
  const told: string[] = []
  end.on('data', (chunk) => told.push(String(chunk)))
  end.on('end', () => told.push('end'))
  end.on('close', () => told.push('close'))
  return told
}

describe('a connection in memory', () => {
  it('delivers what was written in one turn together, and never within the write', async () => {
    const { near, far } = connection()
    const told = read(far)
    near.write('a')
    near.write('b')
    expect(told).toEqual([])
    await settle()
    expect(told).toEqual(['ab'])
    near.write('c')
    await settle()
    expect(told).toEqual(['ab', 'c'])
  })

  it('ends behind the bytes under way', async () => {
    const { near, far } = connection()
    const told = read(far)
    near.end('last')
    await settle()
    expect(told).toEqual(['last', 'end'])
  })

  it('takes a window of bytes at once, then writes as fast as the reader reads', async () => {
    const { near, far } = connection()
    const done: number[] = []
    for (const size of [65_536, 1, 1]) near.write('x'.repeat(size), () => done.push(size))
    await settle()
    expect([done, near.writableLength]).toEqual([[65_536], 2])
    const told = read(far)
    await settle()
    expect([done, near.writableLength, told.join('').length]).toEqual([[65_536, 1, 1], 0, 65_538])
  })

  it('shows the other side an end when one is destroyed, and drops what is written to it', async () => {
    const { near, far } = connection()
    const told = read(far)
    near.write('a')
    near.destroy()
    await settle()
    expect(told).toEqual(['a', 'end'])
    const written = new Promise<void>((resolve) => far.write('x'.repeat(100_000), () => resolve()))
    await written
    expect(far.writableLength).toBe(0)
  })

  it('lets a writer go on that waits for a reader that is destroyed', async () => {
    const { near, far } = connection()
    const written = new Promise<void>((resolve) => near.write('x'.repeat(100_000), () => resolve()))
    far.destroy()
    await written
    expect(near.writableLength).toBe(0)
  })

  it('holds what was already on its way when it is stalled', async () => {
    const { up, near, far } = connection()
    const told = read(far)
    await settle()
    near.end('a')
    up.stall()
    await settle()
    expect(told).toEqual([])
    up.resume()
    await settle()
    expect(told).toEqual(['a', 'end'])
  })

  it('closes when what was written has left, if asked to', async () => {
    const { near, far } = connection()
    const told = read(near)
    far.resume()
    near.write('a')
    near.destroySoon()
    await settle()
    expect(told).toEqual(['close'])
  })
})
