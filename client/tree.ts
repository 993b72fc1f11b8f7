/** Dotted names as nested groups. */

/** A group of leaves and groups. Has no prototype: `constructor` or `toString` is a name like any other. */
export interface Tree<L> {
  [name: string]: L | Tree<L>
}

/** `{ 'a.b': x, c: y }` becomes `{ a: { b: leaf('a.b', x) }, c: leaf('c', y) }`. No name is a dotted prefix of another. */
export function createTree<D, L>(
  definitions: Readonly<Record<string, D>>,
  leaf: (name: string, definition: D) => L,
): Tree<L> {
  const root: Tree<L> = Object.create(null)
  for (const [name, definition] of Object.entries(definitions)) {
    const path = name.split('.')
    const last = path.pop() ?? ''
    let group = root
    for (const part of path) {
      group[part] ??= Object.create(null) as Tree<L>
      group = group[part] as Tree<L>
    }
    group[last] = leaf(name, definition)
  }
  return root
}
