/** What of the inbox stands without an app, for `ackord/publisher`. */
export { compileInbox, type InboxParams } from './definition.js'
