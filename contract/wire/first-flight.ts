/** What a client may send before WELCOME; a server holds this much, then pauses the socket. PROTOCOL.md § First flight. */
export const FIRST_FLIGHT = { frames: 16, bytes: 65_536 } as const

/** How long a server waits for HELLO and a valid token after the 101, in ms. */
export const HANDSHAKE_MS = 5000

/** The prefix of the subprotocol that carries a token, base64url of its UTF-8 bytes. Never echoed. PROTOCOL.md § Tokens. */
export const TOKEN_SUBPROTOCOL = 'ackord.token.'
