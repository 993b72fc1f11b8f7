/** `namespace()`: a contract at a path, as a handle that handlers are written against in any file. */
import type { Contract, ContractDefinition } from '../../contract/contract.js'
import { AckordError } from '../errors.js'
import { checkNames, type Identity, NAMESPACE_NAMES } from '../gateway/index.js'
import type { Namespace, NamespaceOptions } from './types.js'

/**
 * Makes the handle of a contract at a path. The types of user and data come from `authenticate` and `data`.
 * Mount it with `app.register(live.plugin({ … }))` after `app.register(ackord)`. Throws ACKORD_INVALID_OPTION.
 */
export function namespace<C extends ContractDefinition, U extends Identity = Identity, D = undefined>(
  contract: Contract<C>,
  options: NamespaceOptions<U, D>,
): Namespace<C, U, D> {
  if (typeof contract?.hash !== 'string') throw invalid('contract: pass what defineContract returned')
  checkOptions(options ?? {}, Object.keys(contract.rooms ?? {}).length > 0)
  const handle: Namespace<C, U, D> = {
    contract,
    calls: (handlers) => handlers,
    rooms: (handlers) => handlers,
    plugin(parts) {
      if (typeof parts !== 'object' || parts === null) throw uncalled()
      // `app.register(live.plugin)` hands the app itself over and takes a promise: a throw would end the process.
      if ('decorate' in parts) return Promise.reject(uncalled()) as never
      return async (app) => {
        if (!app.hasDecorator('ackordGateway')) throw new AckordError('ACKORD_PLUGIN_MISSING')
        app.ackordGateway.mount(app, handle, options.path, {
          contract,
          options: { ...options },
          parts: { ...parts },
        })
      }
    },
  }
  return handle
}

function checkOptions(
  options: {
    path?: unknown
    authenticate?: unknown
    routeConfig?: unknown
    jwt?: unknown
    reauthorize?: unknown
    tickets?: unknown
    data?: unknown
  },
  hasRooms: boolean,
): void {
  const { path, authenticate, routeConfig, jwt, reauthorize, tickets, data } = options
  checkNames(options, NAMESPACE_NAMES)
  checkPath(path)
  if (authenticate !== undefined && authenticate !== 'none' && typeof authenticate !== 'function') {
    throw invalid("authenticate: a function or 'none'")
  }
  if (routeConfig !== undefined && (typeof routeConfig !== 'object' || routeConfig === null)) {
    throw invalid('routeConfig: an object')
  }
  if (jwt !== undefined) checkJwt(jwt, authenticate)
  if (reauthorize !== undefined && typeof reauthorize !== 'function') throw invalid('reauthorize: a function')
  if (tickets !== undefined && typeof tickets !== 'boolean') throw invalid('tickets: true or false')
  if (data !== undefined && typeof data !== 'function') throw invalid('data: a function')
  checkUse(options, hasRooms)
}

/** Segments, each behind a slash. */
const PATH = /^(\/[\w.~-]+)+$/

// A prefix is put right before it, and would make another path of one without its slash.
function checkPath(path: unknown): void {
  if (typeof path === 'string' && PATH.test(path)) return
  const meant = typeof path === 'string' ? `/${path.split('/').filter(Boolean).join('/')}` : ''
  throw invalid(
    `path: ${JSON.stringify(path)} must be plain segments, each behind a slash; write "${PATH.test(meant) ? meant : '/chat'}"`,
  )
}

// Whoever sets these expects something of them.
function checkUse(options: Readonly<Record<string, unknown>>, hasRooms: boolean): void {
  if (options.reauthorizeEvery !== undefined && options.reauthorize === undefined && !hasRooms)
    throw invalid('reauthorizeEvery: does nothing without `reauthorize` or rooms')
  if (options.authenticate !== 'none') return
  for (const name of ['cookie', 'tokenLead'])
    if (options[name] !== undefined) throw invalid(`${name}: with authenticate: 'none' there are no tokens`)
  if (options.tickets === true) throw invalid("tickets: with authenticate: 'none' there are none")
}

function checkJwt(jwt: unknown, authenticate: unknown): void {
  if (typeof jwt !== 'object' || jwt === null) throw invalid('jwt: an object')
  if (authenticate !== undefined) throw invalid('jwt: `authenticate` verifies by itself; give one of them')
  checkNames(jwt, ['algorithms', 'audience', 'issuer', 'requireExp'])
}

const uncalled = (): AckordError =>
  new AckordError('ACKORD_HANDLER_MISSING', 'write app.register(live.plugin({ … })), with the call')
const invalid = (detail: string): AckordError => new AckordError('ACKORD_INVALID_OPTION', detail)
