/** Dotted names as nested objects without a prototype, so that no name is special. */

/** A group of leaves and groups. */
export type Branch<L> = { [name: string]: L | Branch<L> }

/** Makes the nested form of dotted names. The contract has no name that is a prefix of another. */
export function tree<L>(names: readonly string[], leaf: (name: string) => L): Branch<L> {
  const root: Branch<L> = Object.create(null)
  for (const name of names) {
    const segments = name.split('.')
    const last = segments.pop() ?? name
    let branch = root
    for (const segment of segments) {
      branch[segment] ??= Object.create(null) as Branch<L>
      branch = branch[segment] as Branch<L>
    }
    branch[last] = leaf(name)
  }
  return root
}
