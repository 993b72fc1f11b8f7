/** POST {path}/ticket: authenticated like an upgrade, answered with a one-time ticket. PROTOCOL.md § Tickets. */
import type { FastifyContextConfig, FastifyReply, FastifyRequest } from 'fastify'
import { admit, type Mount, Refusal, refusalOf, refuse } from '../gateway/index.js'
import type { Authority } from './authority.js'
import { TICKET_MS } from './tickets.js'

/** Declares the route beside the namespace's own. What an upgrade would be refused for, the same way, is refused here. */
export function declareTicketRoute(mount: Mount, authority: () => Authority): void {
  const { app, definition } = mount
  const url = `${mount.path.slice(app.prefix.length)}/ticket`
  const tickets = new WeakMap<FastifyRequest, string>()

  // Where an upgrade is authenticated too: a guess counts for rate limits.
  const preValidation = async (
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<FastifyReply | undefined> => {
    try {
      const carried = mount.carriedToken(request)
      tickets.set(request, await authority().issueTicket(carried, () => admit(mount, request, undefined)))
      return undefined
    } catch (error) {
      if (error instanceof Refusal) return refuse(reply, error)
      throw error
    }
  }

  // A scope of its own: whatever stands in the body is not looked at.
  app.register(async (scope) => {
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('*', (_request, payload, done) => {
      payload.resume()
      done(null)
    })
    scope.route({
      method: 'POST',
      url,
      config: { ...(definition.options.routeConfig as FastifyContextConfig | undefined) },
      preValidation,
      errorHandler: (error, _request, reply) => refuse(reply, refusalOf(error, reply)),
      handler: (request, reply) =>
        reply
          .header('cache-control', 'no-store')
          .send({ ticket: tickets.get(request), expiresIn: TICKET_MS / 1000 }),
    })
  })
}
