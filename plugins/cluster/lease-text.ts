/** A lease as Redis keeps it: `counter generation counts`, so that a script can read the counter. */
import type { Lease } from './leases.js'

/** What stands behind the node's name. */
export const leaseText = ({ counter, generation, counts }: Omit<Lease, 'node'>): string =>
  `${counter} ${generation} ${JSON.stringify(counts)}`

/** The reply of `lease-beat`: what is no lease is left out. */
export function leasesOf(reply: unknown): Lease[] {
  const fields: readonly unknown[] = Array.isArray(reply) ? reply : []
  const leases: Lease[] = []
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const lease = leaseOf(String(fields[i]), String(fields[i + 1]))
    if (lease !== undefined) leases.push(lease)
  }
  return leases
}

function leaseOf(node: string, text: string): Lease | undefined {
  const [, counter, generation, json] = /^(\d{1,15}) (\d{1,15}) (\{.*\})$/s.exec(text) ?? []
  if (json === undefined) return undefined
  return { node, counter: Number(counter), generation: Number(generation), counts: countsOf(json) }
}

function countsOf(json: string): Record<string, number> {
  const counts: Array<[string, number]> = []
  try {
    for (const [path, count] of Object.entries(JSON.parse(json)))
      if (typeof count === 'number') counts.push([path, count])
  } catch {
    // A node that lives is alive, whatever it counts.
  }
  return Object.fromEntries(counts)
}
