/** All clients of a run: their load, and waiting until nothing is owed to them any more. */
import { setTimeout as sleep } from 'node:timers/promises'
import { Dice } from '../../fuzz/dice.js'
import type { Entry } from './lines.js'
import { Person } from './person.js'

/** How large the load is, and where it goes. */
export interface Plan {
  readonly seed: number
  /** The addresses that clients are spread over. */
  readonly urls: readonly string[]
  /** Whether each address has one client more, that does not come back once it is lost. */
  readonly ghosts: boolean
  readonly clients: number
  /** What each client does in a second, about. */
  readonly rate: number
  /** Whether the end waits until everybody's connections are counted right: up to 20 s after a node was killed. */
  readonly counts: boolean
  readonly file: string
}

/** In which everybody is, and in which every second client is. */
export const HALLS = ['all', 'half'] as const
/** Calls that one client has under way. */
const LANES = 8
/** Milliseconds until what is owed must have come, for each step. */
const PATIENCE_MS = 60_000
/** Milliseconds until all members have heard a call that was acked. */
const HEARD_MS = 5000
const LOOK_MS = 20
/** Milliseconds until all have heard the same though nothing follows: a node looks after its rooms once in 60 s. */
const EVEN_MS = 75_000

/** Who does not come back, by the address they are at. */
export const ghostOf = (front: number): string => `ghost${front}`

/** The clients of a plan. */
export class Crew {
  readonly #people: Person[]
  readonly #ghosts: Person[]
  readonly #dice: Dice
  readonly #rate: number
  readonly #counts: boolean
  readonly #write: (name: string, entry: Entry) => void
  readonly #calls = new Map<Person, Set<Promise<unknown>>>()
  // Those who show a state: one of each user, so that everybody knows which is the newest.
  readonly #showing: ReadonlySet<Person>
  #loading = true
  #load: Promise<unknown> = Promise.resolve()

  constructor(
    { seed, urls, ghosts, clients, rate, counts }: Plan,
    write: (name: string, entry: Entry) => void,
  ) {
    this.#dice = new Dice(seed)
    this.#rate = rate
    this.#counts = counts
    this.#write = write
    const urlOf = (n: number): string => urls[n % urls.length] ?? ''
    // The last two are second tabs of the first two, at another address.
    const userOf = (n: number): string => `user${n < clients - 2 ? n : n - clients + 2}`
    this.#people = Array.from({ length: clients }, (_, n) => {
      const halls = n % 2 === 0 ? HALLS : HALLS.slice(0, 1)
      return new Person({ name: `c${n}`, user: userOf(n), url: urlOf(n), halls, write })
    })
    this.#ghosts = (ghosts ? urls : []).map((url, n) => {
      const user = ghostOf(n)
      return new Person({ name: user, user, url, halls: HALLS.slice(0, 1), once: true, write })
    })
    this.#showing = new Set(this.#people.slice(0, clients - 2))
  }

  get #here(): readonly Person[] {
    return [...this.#people, ...this.#ghosts].filter(({ isGone }) => !isGone)
  }

  /** Resolves once all are in, and their inboxes have brought something. */
  async enter(): Promise<void> {
    await Promise.all(this.#here.map((person) => person.enter()))
    await this.#fences()
  }

  /** Starts the load. */
  start(): void {
    this.#load = Promise.all(this.#people.map((person) => this.#work(person)))
  }

  /** The clients at an address that do not come back go now. */
  leave(front: number): void {
    this.#ghosts[front]?.close()
  }

  /** Ends the load, and waits until all have what they are owed, or have not got it in time; then the checker will tell. */
  async settle(): Promise<void> {
    this.#loading = false
    await this.#load
    await Promise.all([...this.#calls.values()].flatMap((calls) => [...calls]))
    await this.#until(() => this.#here.every(({ isWell }) => isWell))
    // What was missed must come by itself, not only because something follows it.
    const quiet = performance.now()
    const isEven = await this.#until(() => this.#isEven(), EVEN_MS)
    this.#write('', { type: 'quiet', ms: Math.round(performance.now() - quiet), isEven })
    await this.#fences()
    for (const person of this.#showing) for (const hall of person.halls) person.show(hall)
    await this.#until(() =>
      this.#here.every((person) => person.halls.every((hall) => this.#isShown(person, hall))),
    )
  }

  /** Ends all clients. */
  close(): void {
    for (const person of this.#here) person.close()
  }

  async #work(person: Person): Promise<void> {
    while (this.#loading) {
      await sleep((2 * this.#dice.next() * 1000) / this.#rate)
      if ((this.#calls.get(person)?.size ?? 0) < LANES) this.#act(person)
    }
  }

  #act(person: Person): void {
    const hall = this.#dice.pick(person.halls)
    const kind = this.#dice.below(20)
    if (kind < 11) this.#track(person, person.say(hall))
    else if (kind < 13) this.#track(person, person.notify(this.#dice.pick(this.#people).user))
    else if (kind < 15) this.#track(person, person.set(hall))
    else if (kind < 16) this.#track(person, person.echo())
    else if (kind < 18) person.whisper(hall)
    else if (this.#showing.has(person)) person.show(hall)
  }

  // Of each client by itself: the others go on while one waits.
  #track(person: Person, call: Promise<unknown>): void {
    const calls = this.#calls.get(person) ?? new Set()
    this.#calls.set(person, calls.add(call))
    void call.finally(() => calls.delete(call))
  }

  /** Publishes into everything until one publication of each kind has reached all who are owed it. */
  async #fences(): Promise<void> {
    const end = performance.now() + PATIENCE_MS
    for (;;) {
      const done = (await Promise.all([...this.#sayings(), ...this.#notices(), ...this.#settings()])).map(
        (owed) => this.#until(owed, HEARD_MS),
      )
      if ((await Promise.all(done)).every(Boolean) || performance.now() > end) return
    }
  }

  // Each is a call, and then whether all have heard what it published.
  *#sayings(): Generator<Promise<() => boolean>> {
    for (const hall of HALLS) {
      const [person] = this.#people
      if (person) yield this.#heardBy(hall, person.say(hall), (one) => one.halls.includes(hall))
    }
  }

  *#notices(): Generator<Promise<() => boolean>> {
    for (const user of new Set(this.#here.map((person) => person.user))) {
      const [person] = this.#people
      if (person) yield this.#heardBy(`@${user}`, person.notify(user), (one) => one.user === user)
    }
  }

  async #heardBy(
    room: string,
    call: Promise<string | undefined>,
    isMember: (person: Person) => boolean,
  ): Promise<() => boolean> {
    const id = await call
    return () =>
      id !== undefined &&
      this.#here.every((person) => !isMember(person) || person.heard.get(room)?.has(id) === true)
  }

  *#settings(): Generator<Promise<() => boolean>> {
    for (const person of this.#people) {
      for (const hall of person.halls) yield this.#setBy(person, hall)
    }
  }

  async #setBy(person: Person, hall: string): Promise<() => boolean> {
    const id = await person.set(hall)
    const value = Number(id?.split('.')[1])
    return () =>
      this.#here.every(({ halls, values }) => {
        return !halls.includes(hall) || values.get(hall)?.get(person.name) === value
      })
  }

  /** Whether all have heard the same last, and have the same current values. */
  #isEven(): boolean {
    const places = new Map<string, string>()
    const isSame = (place: string, value: string): boolean => {
      const known = places.get(place)
      if (known === undefined) places.set(place, value)
      return known === undefined || known === value
    }
    return this.#here.every(
      ({ last, values }) =>
        [...last].every(
          ([room, position]) => position === undefined || isSame(room, JSON.stringify(position)),
        ) &&
        [...values].every(([hall, all]) =>
          [...all].every(([key, value]) => isSame(`${hall} ${key}`, `${value}`)),
        ),
    )
  }

  #isShown(viewer: Person, hall: string): boolean {
    const seen = new Map(viewer.sees(hall).map((member) => [member.user, member]))
    const inside = this.#here.filter(({ halls }) => halls.includes(hall))
    const users = new Set(inside.map(({ user }) => user))
    return (
      seen.size === users.size &&
      inside.every((person) => {
        const member = seen.get(person.user)
        const connections = inside.filter(({ user }) => user === person.user).length
        return (
          member !== undefined &&
          (!this.#showing.has(person) || member.state === person.state(hall)) &&
          (!this.#counts || member.connections === connections)
        )
      })
    )
  }

  async #until(condition: () => boolean, ms = PATIENCE_MS): Promise<boolean> {
    const end = performance.now() + ms
    for (; !condition(); await sleep(LOOK_MS)) if (performance.now() > end) return false
    return true
  }
}
