/** The namespace: the contract at a path. Handlers in any file are typed by it. */
import { namespace } from 'ackord'
import chat from '../contract.js'

/** Says nothing of authentication: @fastify/jwt is there, so a connection is who its token's `sub` says. */
export const live = namespace(chat, { path: '/chat' })
