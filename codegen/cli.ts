#!/usr/bin/env node
/** The `ackord` command. */
const io = {
  cwd: process.cwd(),
  out: (text: string) => process.stdout.write(text),
  err: (text: string) => process.stderr.write(text),
}

async function main(): Promise<number> {
  try {
    const { run } = await import('./commands.js')
    return await run(process.argv.slice(2), io)
  } catch (error) {
    // An optional peer, which a project that only has clients may lack.
    if (!(error instanceof Error) || !error.message.includes("package '@sinclair/typebox'")) throw error
    io.err('ackord: contracts are read with TypeBox. Run: npm install --save-dev @sinclair/typebox\n')
    return 1
  }
}

const code = await main()
// A contract may have opened what keeps the process alive; leave once what was printed is out.
process.stdout.write('', () => process.stderr.write('', () => process.exit(code)))
