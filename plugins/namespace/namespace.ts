/** `namespace()`: a contract at a path, as a handle that handlers are written against in any file. */
import type { Contract, ContractDefinition } from '../../contract/contract.js'
import { AckordError } from '../errors.js'
import type { Identity } from '../gateway/index.js'
import type { Namespace, NamespaceOptions } from './types.js'

/**
 * Makes the handle of a contract at a path. The types of user and data come from `authenticate` and `data`.
 * Mount it with `app.register(live.plugin({ … }))` after `app.register(ackord)`.
 */
export function namespace<C extends ContractDefinition, U extends Identity = Identity, D = undefined>(
  contract: Contract<C>,
  options: NamespaceOptions<U, D>,
): Namespace<C, U, D> {
  const handle: Namespace<C, U, D> = {
    contract,
    calls: (handlers) => handlers,
    rooms: (handlers) => handlers,
    plugin: (parts) => async (app) => {
      if (!app.hasDecorator('ackordGateway')) throw new AckordError('ACKORD_PLUGIN_MISSING')
      app.ackordGateway.mount(app, handle, options.path, {
        contract,
        options: { ...options },
        parts: { ...parts },
      })
    },
  }
  return handle
}
