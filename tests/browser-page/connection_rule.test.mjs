// SPDX-License-Identifier: LGPL-2.1-or-later
//
// How many connections an upload gets, with a network that is made of numbers.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ConnectionRule } from '../../src/web/upload/connection_rule.js';

const LOOK_MS = 100;

// How many there are in the end. `rate` gives the bytes a millisecond that so many connections bring.
function connectionsOver(rate, { most = 8, roundTrip = 50, full = () => true, seconds = 60 } = {}) {
  const rule = new ConnectionRule(most);
  let connections = 1;
  let stored = 0;
  for (let now = 1000; now < 1000 * seconds; now += LOOK_MS) {
    stored += LOOK_MS * rate(connections, now);
    const upload = { now, stored, connections, full: full(now, connections), roundTrip };
    if (rule.look(upload)) connections += 1;
  }
  return connections;
}

// Each brings as much as the one before.
const lossy = (connections) => 800 * connections;

test('where each adds its share, there are as many as add a fifth', () => {
  // The seventh adds a sixth only.
  assert.equal(connectionsOver(lossy), 7);
  assert.equal(
    connectionsOver((connections) => 800 * 1.5 ** connections),
    8,
  );
});

test('the server has the last word', () => {
  assert.equal(connectionsOver(lossy, { most: 4 }), 4);
  assert.equal(connectionsOver(lossy, { most: 1 }), 1);
  assert.equal(
    connectionsOver((connections) => 800 * 1.5 ** connections, { most: 64 }),
    8,
  );
});

test('where the way is full, the second one is the last', () => {
  assert.equal(
    connectionsOver(() => 2500),
    2,
  );
  assert.equal(
    connectionsOver((connections) => Math.min(2500, 800 * connections)),
    4,
  );
});

test('on a near way, and on one that nobody has measured, there is one', () => {
  assert.equal(connectionsOver(lossy, { roundTrip: 9.9 }), 1);
  assert.equal(connectionsOver(lossy, { roundTrip: Infinity }), 1);
  assert.ok(connectionsOver(lossy, { roundTrip: 10 }) > 1);
});

test('where something else than the way holds it up, there is one', () => {
  assert.equal(connectionsOver(lossy, { full: () => false }), 1);
  assert.equal(connectionsOver(lossy, { full: (now) => now % 200 === 0 }), 1);
  assert.ok(connectionsOver(lossy, { full: (now) => now % 1000 > 0 }) > 1);
});

test('one bad measurement is none', () => {
  // The third has a bad start.
  let since = null;
  const rate = (connections, now) => {
    if (connections === 3) since ??= now;
    return connections === 3 && now < since + 2000 ? 100 : 800 * connections;
  };
  assert.equal(connectionsOver(rate), 7);
});

test('when one is lost, it is tried anew', () => {
  const rule = new ConnectionRule(8);
  let stored = 0;
  let now = 0;
  const asks = (connections, seconds) => {
    for (const end = now + 1000 * seconds; now < end; ) {
      now += LOOK_MS;
      stored += LOOK_MS * 1000;
      if (rule.look({ now, stored, connections, full: true, roundTrip: 50 })) return true;
    }
    return false;
  };
  assert.equal(asks(1, 5), true);
  assert.equal(asks(2, 30), false);
  assert.equal(asks(1, 5), true);
});
