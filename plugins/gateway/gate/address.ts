/** What counts as one address. docs/decisions/the-gate.md. */

/**
 * The key under which an address is counted: an IPv4 address itself, also where it is written as IPv6 (RFC 4291 § 2.5.5.2); of an
 * IPv6 address its first 64 bits, since whoever has one has them all (RFC 6177). `undefined` where there is none: a Unix socket.
 */
export function addressKey(ip: string | undefined): string | undefined {
  if (ip === undefined || ip === '') return undefined
  if (!ip.includes(':')) return ip.slice(0, MAX_LENGTH)
  const last = ip.slice(ip.lastIndexOf(':') + 1)
  if (last.includes('.')) return last.slice(0, MAX_LENGTH)
  const [head = ''] = ip.split('::')
  const groups = head.split(':', GROUPS).map((group) => Number.parseInt(group, 16) || 0)
  while (groups.length < GROUPS) groups.push(0)
  return groups.map((group) => group.toString(16)).join(':')
}

/** 16-bit groups of a /64. */
const GROUPS = 4
/** A proxy may hand on anything; an IPv4 address has 15 characters. */
const MAX_LENGTH = 64
