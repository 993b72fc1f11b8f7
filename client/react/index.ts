/** `ackord/react`: a client's connection, rooms, events and outbox as hooks. Nothing connects while rendering, nor on a server. */
export { useConnection, useOutbox } from './use-client.js'
export { useEvent } from './use-event.js'
export { usePresence } from './use-presence.js'
export { type Joinable, type RoomView, useRoom } from './use-room.js'
