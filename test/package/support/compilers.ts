/** The versions of TypeScript that the package's types and generated files must please. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { repository } from './cached.js'
import { node } from './run.js'

const tsc = (name: string): string => join(repository, 'node_modules', name, 'bin', 'tsc')

/** Path of `tsc` by version. */
export const compilers: Readonly<Record<string, string>> = {
  'TypeScript 5.9': tsc('typescript-5.9'),
  'TypeScript 6.0': tsc('typescript'),
  'TypeScript 7.0': tsc('typescript-7'),
}

/** The strictest options a user may have; libraries are checked too. */
const strictest = {
  ...{ noEmit: true, target: 'es2022', lib: ['es2022', 'dom'], types: [], skipLibCheck: false },
  ...{
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    verbatimModuleSyntax: true,
  },
  ...{ isolatedModules: true, erasableSyntaxOnly: true, noImplicitOverride: true, noUnusedLocals: true },
  ...{ noUnusedParameters: true, noPropertyAccessFromIndexSignature: true },
}

/** How modules are found: by Node, and by bundlers. */
export const resolutions = {
  nodenext: { module: 'nodenext', moduleResolution: 'nodenext' },
  bundler: { module: 'esnext', moduleResolution: 'bundler' },
} as const

/** Type-checks files of a directory under the strictest options; resolves to what is printed, `''` if there is no error. */
export async function typeCheck(
  compiler: string,
  directory: string,
  files: readonly string[],
  options: Readonly<Record<string, unknown>>,
): Promise<string> {
  const name = `tsconfig.${crypto.randomUUID()}.json`
  const config = { compilerOptions: { ...strictest, ...options }, files }
  await writeFile(join(directory, name), JSON.stringify(config))
  const { code, stdout, stderr } = await node([compiler, '--project', name, '--pretty', 'false'], directory)
  return `${stdout}${stderr}` || (code === 0 ? '' : `ended with ${code}`)
}
