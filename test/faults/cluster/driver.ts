/**
 * A process with many clients. Its one argument is a `Plan` as JSON; its parent tells it what to do, and each command is answered once it is done.
 * Everything that its clients hear is in the plan's file by the answer to `settle`.
 */
import { appendFileSync, writeFileSync } from 'node:fs'
import { Crew, type Plan } from './crew.js'
import { type Entry, lineTime } from './lines.js'

/** What a driver does. */
export type Command =
  | { readonly type: 'enter' }
  | { readonly type: 'load' }
  /** The client at this address that would not come back goes. */
  | { readonly type: 'leave'; readonly front: number }
  | { readonly type: 'settle' }

/** Lines that are kept until they are written together. */
const MAX_LINES = 1000

const plan = JSON.parse(process.argv[2] ?? '') as Plan
let lines: string[] = []

function flush(): void {
  appendFileSync(plan.file, lines.join(''))
  lines = []
}

function write(who: string, entry: Entry): void {
  lines.push(`${JSON.stringify({ t: lineTime(), who, ...entry })}\n`)
  if (lines.length >= MAX_LINES) flush()
}

async function act(command: Command): Promise<void> {
  switch (command.type) {
    case 'enter':
      await crew.enter()
      return
    case 'load':
      crew.start()
      return
    case 'leave':
      crew.leave(command.front)
      return
    case 'settle':
      await crew.settle()
      write('', { type: 'end' })
      flush()
      crew.close()
      lines = []
  }
}

writeFileSync(plan.file, '')
const crew = new Crew(plan, write)
process.on('message', (command: Command) => {
  act(command).then(
    () => process.send?.({ done: command.type }),
    (error: unknown) => {
      console.error(error)
      process.exit(1)
    },
  )
})
// Its parent is gone.
process.once('disconnect', () => process.exit(0))
process.send?.({ done: 'start' })
