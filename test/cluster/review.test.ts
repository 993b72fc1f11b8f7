import { expect, it } from 'vitest'
import { all, network } from './support/network.js'
it.each([2 ** 31, Number.POSITIVE_INFINITY])('E: a timeout of %s', async (timeout) => {
  const { node, sent } = network(['a', 'b'])
  node('b').handlers.add('who', async function* () {
    await new Promise((r) => setImmediate(r))
    yield 1
  })
  const got = all(node('a').bus.ask('who', null, { timeout }))
  for (let i = 0; i < 20; i++) await new Promise((r) => setImmediate(r))
  console.log(sent.map((s) => JSON.stringify(s.message)))
  expect(await Promise.race([got, new Promise((r) => setTimeout(() => r('hang'), 300))])).toEqual(['b 1'])
})
it('D: an answer of the bound exactly, of characters of three bytes', async () => {
  const { node, sent, errors } = network(['a', 'b'])
  node('b').handlers.add('who', () => '語'.repeat(349_520))
  const got = await all(node('a').bus.ask('who', null, { timeout:1000 }))
  console.log(got.map((g) => g.slice(0, 30)), errors)
  expect(got).toEqual(['b failed'])
})
