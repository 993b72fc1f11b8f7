/** Which slot of a Cluster a key or channel is in. https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/ § Key distribution model. */

const SLOTS = 16_384

// CRC16 as XMODEM has it: polynomial 0x1021, from 0.
const TABLE = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8
  for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021
  return crc
})

/** 0 to 16,383: by what stands in the first braces, if anything does, else by the whole name. */
export function slotOf(name: string): number {
  const open = name.indexOf('{')
  const close = name.indexOf('}', open + 1)
  const part = open >= 0 && close > open + 1 ? name.slice(open + 1, close) : name
  let crc = 0
  for (const byte of Buffer.from(part)) crc = ((crc << 8) & 0xffff) ^ (TABLE[(crc >> 8) ^ byte] ?? 0)
  return crc % SLOTS
}
