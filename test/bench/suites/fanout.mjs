/** Fan-out: a publication to a room of 500, one at a time (the next when the last member has it) or 16 at once. */

/** @type {import('../harness/suite.mjs').Suite} */
export default {
  name: 'fanout',
  baseline: 'send-loop',
  peers: ['framed', 'socket.io', 'ackord-ungrouped'],
  connections: 500,
  unit: 'µs of server CPU per delivery',
  scenarios: [
    { name: 'single', inFlight: 1 },
    { name: 'burst of 16', inFlight: 16 },
  ],
  goals: [
    { scenario: 'single', against: 'send-loop', atMost: 0.8 },
    { scenario: 'single', against: 'socket.io', atMost: 0.65 },
    { scenario: 'burst of 16', against: 'send-loop', atMost: 0.1 },
    { scenario: 'burst of 16', against: 'socket.io', atMost: 0.12 },
  ],
}
