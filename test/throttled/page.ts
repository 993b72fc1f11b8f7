/** The page in the tab: the generated client, and what is noted of it while nobody looks. */

/** What the page has noted. Times in ms since it was loaded. */
export interface Seen {
  /** What `document.visibilityState` was and became. */
  readonly visibility: readonly string[]
  readonly hiddenAt: number
  readonly now: number
  /** When a timer of a second fired that sets itself anew each time. */
  readonly ticks: readonly number[]
  /** Timers of the client that fired, and by how much the latest one was late. */
  readonly timers: number
  readonly latest: number
  /** BEATs. */
  readonly received: number
  readonly sent: number
  /** Sockets that the client opened. */
  readonly sockets: number
  readonly states: readonly string[]
  /** The texts of the room's events. */
  readonly said: readonly string[]
}

/** An expression for what the page has noted, a `Seen`. */
export const SEEN = '({ ...seen, now: performance.now() })'

/** An expression for whether it is in its room, once all of it is loaded. */
export const JOINED = `new Promise((resolve) => {
  if (document.readyState === 'complete') resolve()
  else addEventListener('load', resolve)
}).then(() => joined).then(({ ok }) => ok)`

/** Looks on before the client takes its timers and sockets, and changes nothing of either. */
const look = `
  const seen = {
    ...{ visibility: [document.visibilityState], hiddenAt: 0, ticks: [], timers: 0, latest: 0 },
    ...{ received: 0, sent: 0, sockets: 0, states: [], said: [] },
  }
  document.addEventListener('visibilitychange', () => {
    seen.visibility.push(document.visibilityState)
    seen.hiddenAt = performance.now()
  })
  const { setTimeout: set, WebSocket: Socket } = window
  const tick = () => {
    seen.ticks.push(performance.now())
    set(tick, 1000)
  }
  tick()
  window.setTimeout = (callback, ms = 0) => {
    const due = performance.now() + ms
    return set(() => {
      seen.timers++
      seen.latest = Math.max(seen.latest, performance.now() - due)
      callback()
    }, ms)
  }
  window.WebSocket = class extends Socket {
    constructor(...args) {
      super(...args)
      seen.sockets++
      this.addEventListener('message', ({ data }) => {
        if (data === '[26]') seen.received++
      })
    }
    send(data) {
      if (data === '[10]') seen.sent++
      super.send(data)
    }
  }`

/** The page. The client is served beside it as `/client.js`, the namespace at `/live`. */
export const page = `<!doctype html><title>tab</title>
<script>${look}</script>
<script type="module">
  import { createLong } from '/client.js'
  window.client = createLong('/live')
  client.connection.subscribe(() => {
    const { state } = client.connection.get()
    if (state !== seen.states.at(-1)) seen.states.push(state)
  })
  const hall = client.rooms.hall({})
  hall.on('said', ({ text }) => seen.said.push(text))
  window.joined = hall.join()
</script>`
