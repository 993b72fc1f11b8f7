/** Calls with acks, streams, events and asks: takes CALL, CANCEL, CREDIT and ANSWER of each namespace. */
import type { FastifyPluginAsync } from 'fastify'
import fp from 'fastify-plugin'
import { AckordError } from '../errors.js'
import type { Mount } from '../gateway/index.js'
import { loseAsks, onAnswer } from './asks.js'
import { abortUnanswered } from './call-run.js'
import { Dispatcher } from './dispatch.js'
import { Events } from './events.js'

const events = new WeakMap<Mount, Events>()

/** Registers calls; needs the gateway. */
export const callsPlugin: FastifyPluginAsync = fp(
  async (app) => {
    app.ackordGateway.addHook('onMount', (mount) => {
      const dispatcher = new Dispatcher(mount)
      events.set(mount, new Events(mount))
      mount.handle('CALL', dispatcher.onCall)
      mount.handle('CANCEL', dispatcher.onCancel)
      mount.handle('CREDIT', dispatcher.onCredit)
      mount.handle('ANSWER', onAnswer)
    })
    app.ackordGateway.addHook('onDisconnect', loseAsks)
    app.ackordGateway.addHook('onDisconnect', abortUnanswered)
  },
  { name: '@ackord/calls', fastify: '5.x', dependencies: ['@ackord/gateway'] },
)

/** The events of a mounted namespace. */
export function eventsOf(mount: Mount): Events {
  const found = events.get(mount)
  if (found === undefined) throw new AckordError('ACKORD_NOT_MOUNTED', 'before the app is ready')
  return found
}

export { type Answer, type Answered, type AskOptions, type AskRound, askMs, firstAnswer } from './asks.js'
export { bytePlaces, hasPlaces } from './bytes.js'
export type { Context } from './context.js'
export { Deadlines, type Due } from './deadlines.js'
export { CallError, failureText, refuseCall } from './errors.js'
export type { Events } from './events.js'
export { compileInput } from './input.js'
export { compilePayload, type Payload, PLACE } from './payload.js'
export { compileValidator, type Validator } from './validate.js'
