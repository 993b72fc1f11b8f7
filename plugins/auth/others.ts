/** What other nodes ask of this one: to read what was revoked, to end an older connection, to tell it no more, to say which connections it does not have. */
import type { Cluster } from '../cluster/index.js'
import type { Authority } from './authority.js'

/**
 * Answers them. `authorityAt`: of the namespace at a path, if there is one. What cannot be read is ignored: nodes may be of two versions.
 */
export function answerOthers(cluster: Cluster, authorityAt: (path: unknown) => Authority | undefined): void {
  cluster.handle('auth.revoked', (body) => {
    const [path, id] = listOf(body)
    return typeof id === 'string' ? authorityAt(path)?.revokedBy(id) : undefined
  })
  cluster.handle('auth.fence', (body) => {
    const [path, order, age] = listOf(body)
    if (!isNumber(order) || !isNumber(age)) return undefined
    return authorityAt(path)?.sessions?.onFence(order, age)
  })
  cluster.handle('auth.moved', (body) => {
    const [path, order] = listOf(body)
    if (isNumber(order)) authorityAt(path)?.sessions?.onMoved(order)
  })
  cluster.handle('auth.missing', (body) => {
    const [path, asked] = listOf(body)
    const orders: readonly unknown[] = listOf(Object(asked)[cluster.node])
    return authorityAt(path)?.sessions?.missing(orders.filter(isNumber))
  })
}

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])
const isNumber = (value: unknown): value is number => typeof value === 'number'
