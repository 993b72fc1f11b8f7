/** One number for one text, the same on every machine. */

// 2^40 + 0x1b3, the 64-bit FNV prime: its upper part is a shift by 40, its lower part a product below 2^53.
const PRIME_LOW = 0x1b3
const TWO_32 = 0x1_0000_0000

/**
 * FNV-1a, 64 bits, of a text's UTF-8 bytes, as 16 hex digits (draft-eastlake-fnv). Tells apart what
 * differs by accident; it is no protection against someone who seeks a collision.
 */
export function fnv1a64(text: string): string {
  let high = 0xcbf29ce4
  let low = 0x84222325
  const bytes = new TextEncoder().encode(text)
  for (let i = 0; i < bytes.length; i++) {
    low = (low ^ (bytes[i] ?? 0)) >>> 0
    const product = low * PRIME_LOW
    high = (Math.imul(high, PRIME_LOW) + ((product / TWO_32) >>> 0) + (low << 8)) >>> 0
    low = product >>> 0
  }
  return high.toString(16).padStart(8, '0') + low.toString(16).padStart(8, '0')
}
