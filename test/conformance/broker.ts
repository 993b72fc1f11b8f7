/** What every broker must do, whatever carries its publications. A broker's own test file calls `brokerConformance`. */
import { describe } from 'vitest'
import type { Broker } from '../../plugins/rooms/broker.js'
import { deliveryConformance } from './broker-delivery.js'
import { healingConformance } from './broker-healing.js'
import { logConformance } from './broker-log.js'
import { recoveryConformance } from './broker-recovery.js'

/** A broker under test, made anew for each test. */
export interface BrokerSetup {
  readonly broker: Broker
  /** Another node's broker on the same rooms; a broker of a single process is its own only node. */
  readonly other: Broker
  /** What the brokers reported of throwing subscribers. */
  readonly errors: unknown[]
  /** Lets time pass for the logs; never more than 2 s in one test, so that a real server can wait. */
  pass(ms: number): Promise<void>
  /** Loses all that is kept of a room without subscribers, as an expiry or a flushed server does. */
  lose(room: string): Promise<void>
  /** Where a log can be set to a high offset: the next publication gets the one after it. */
  raiseOffset?(room: string, offset: number): Promise<void>
  /** Cuts both nodes off from what they subscribed to; they come back by themselves. */
  deafen?(): Promise<void>
  /** Keeps a room as it is now. What it gives puts the room back so: a fail-over to a replica that had not heard of anything newer. */
  keep?(room: string): Promise<() => Promise<void>>
  /** Ends both brokers and what serves them. */
  stop(): Promise<void>
}

/** Options of the suite. */
export interface ConformanceOptions {
  /** The setups have `raiseOffset`. */
  readonly raisesOffset?: boolean
  /** The setups have `deafen` and `keep`, and `lose` works for rooms with subscribers. */
  readonly heals?: boolean
}

/** Makes a setup; rooms of earlier setups may still be kept. */
export type MakeBroker = () => Promise<BrokerSetup>

/** Declares the suite. `name` appears in the titles. */
export function brokerConformance(name: string, make: MakeBroker, options: ConformanceOptions = {}): void {
  describe(`broker: ${name}`, () => {
    describe('delivery', () => deliveryConformance(make))
    describe('log', () => logConformance(make, options))
    describe('recovery', () => recoveryConformance(make))
    if (options.heals === true) describe('healing', () => healingConformance(make))
  })
}
