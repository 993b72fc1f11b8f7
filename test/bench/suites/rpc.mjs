/** Calls: a message to the server and its answer, 50 connections, one or 16 calls in flight on each. */

/** @type {import('../harness/suite.mjs').Suite} */
export default {
  name: 'rpc',
  baseline: 'raw-ws',
  peers: ['json-ws', 'socket.io', 'ackord-ungrouped'],
  connections: 50,
  unit: 'µs of server CPU per call',
  scenarios: [
    { name: 'window 1', inFlight: 1 },
    { name: 'window 16', inFlight: 16 },
  ],
  goals: [
    { scenario: 'window 1', against: 'raw-ws', atMost: 1.0 },
    { scenario: 'window 1', against: 'socket.io', atMost: 0.4 },
    { scenario: 'window 16', against: 'raw-ws', atMost: 0.5 },
    { scenario: 'window 16', against: 'socket.io', atMost: 0.25 },
  ],
}
