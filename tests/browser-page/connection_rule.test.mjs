// SPDX-License-Identifier: LGPL-2.1-or-later
//
// How many connections an upload gets, with a network that is made of numbers.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ConnectionRule } from '../../src/web/upload/connection_rule.js';

const LOOK_MS = 100;

// How many there are in the end. `rate` gives the bytes a millisecond that so many connections bring.
function connectionsOver(rate, options = {}) {
  const { most = 8, roundTrip = 50, left = 1e12, full = () => true, seconds = 60 } = options;
  const rule = new ConnectionRule(most);
  let connections = 1;
  let stored = 0;
  for (let now = 1000; now < 1000 * seconds; now += LOOK_MS) {
    stored += LOOK_MS * rate(connections, now);
    connections = rule.look({
      now,
      stored,
      left,
      connections,
      full: full(now, connections),
      roundTrip,
    });
  }
  return connections;
}

// Each brings as much as the one before.
const lossy = (connections) => 800 * connections;

test('over a far way there are four at once, as soon as that is known', () => {
  const rule = new ConnectionRule(8);
  const upload = { now: 0, stored: 0, left: Infinity, connections: 1, full: false };
  assert.equal(rule.look({ ...upload, roundTrip: Infinity }), 1);
  assert.equal(rule.look({ ...upload, roundTrip: 20 }), 4);
  // Once.
  assert.equal(rule.look({ ...upload, roundTrip: 20 }), 1);
});

test('where each adds its share, there are as many as add a fifth', () => {
  // The seventh adds a sixth only.
  assert.equal(connectionsOver(lossy), 7);
  assert.equal(
    connectionsOver((connections) => 800 * 1.5 ** connections),
    8,
  );
});

test('the server has the last word', () => {
  for (const most of [1, 2, 4, 5]) assert.equal(connectionsOver(lossy, { most }), most);
  assert.equal(
    connectionsOver((connections) => 800 * 1.5 ** connections, { most: 64 }),
    8,
  );
});

test('where the way is full, the fifth one is the last', () => {
  assert.equal(
    connectionsOver(() => 2500),
    5,
  );
  assert.equal(
    connectionsOver((connections) => Math.min(3200 * 1.25, 800 * connections)),
    6,
  );
});

test('on a near way, and on one that nobody has measured, there is one', () => {
  assert.equal(connectionsOver(lossy, { roundTrip: 19.9 }), 1);
  assert.equal(connectionsOver(lossy, { roundTrip: Infinity }), 1);
});

test('what is over before another connection is there has one', () => {
  assert.equal(connectionsOver(lossy, { left: 4 * 1024 * 1024 - 1 }), 1);
  assert.equal(connectionsOver(lossy, { left: 4 * 1024 * 1024 }), 7);
  assert.equal(connectionsOver(lossy, { left: Infinity }), 7);
});

test('where something else than the way holds it up, there are no more than the four', () => {
  assert.equal(connectionsOver(lossy, { full: () => false }), 4);
  assert.equal(connectionsOver(lossy, { full: (now) => now % 300 > 0 }), 4);
  assert.equal(connectionsOver(lossy, { full: (now) => now % 1000 > 0 }), 7);
});

test('one bad measurement is none', () => {
  // The fifth has a bad start.
  let since = null;
  const rate = (connections, now) => {
    if (connections === 5) since ??= now;
    return connections === 5 && now < since + 2000 ? 100 : 800 * connections;
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
      const upload = { now, stored, left: 1e9, connections, full: true, roundTrip: 50 };
      if (rule.look(upload) > connections) return true;
    }
    return false;
  };
  assert.equal(asks(1, 1), true);
  assert.equal(asks(4, 5), true);
  assert.equal(asks(5, 30), false);
  assert.equal(asks(4, 5), true);
});
