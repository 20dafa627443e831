// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Several machines in one: this process moves into a network namespace of its own, and makes others that are joined to it or
// to each other by cables. All of them vanish with their last process.

import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import process from 'node:process';

const INSIDE = 'WEBRTCUPLOAD_TEST_NETWORK';

function sh(...command) {
  execFileSync(command[0], command.slice(1), { stdio: ['ignore', 'ignore', 'inherit'] });
}

// Starts the program again in a namespace without any interface but loopback, and returns there. Where that cannot be, the
// tests are skipped with the reason.
export function enterNetwork() {
  if (process.env[INSIDE]) return;
  // Whoever is not root may have a namespace of users in which they are.
  const unshare = process.getuid() === 0 ? ['--net'] : ['--user', '--map-root-user', '--net'];
  const probe = 'ip link set lo up && ip link add probe0 type veth peer name probe1';
  const tried = spawnSync('unshare', [...unshare, 'sh', '-c', probe], { encoding: 'utf8' });
  if (tried.status !== 0) {
    const why = (tried.stderr ?? String(tried.error)).trim().replace(/\s+/g, ' ');
    process.stdout.write(`1..0 # SKIP no network namespaces here: ${why}\n`);
    process.exit(0);
  }
  const program = [process.execPath, ...process.argv.slice(1)];
  const again = spawnSync('unshare', [...unshare, 'sh', '-c', 'ip link set lo up && exec "$@"', 'sh', ...program], {
    stdio: 'inherit',
    env: { ...process.env, [INSIDE]: '1' },
  });
  process.exit(again.status ?? 1);
}

// This process's own machine, or another.
export class Machine {
  static here = new Machine(null);

  constructor(holder) {
    this.holder = holder;
  }

  // Another one, with nothing but its loopback interface.
  static async start() {
    const holder = spawn('unshare', ['--net', 'sh', '-c', 'ip link set lo up && echo ready && exec cat'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const [said] = await once(holder.stdout, 'data');
    assert.equal(String(said), 'ready\n');
    return new Machine(holder);
  }

  // How to begin a command that is to run there.
  get prefix() {
    return this.holder ? ['nsenter', '--target', String(this.holder.pid), '--net'] : [];
  }

  run(...command) {
    sh(...this.prefix, ...command);
  }

  async stop() {
    if (!this.holder) return;
    const ended = once(this.holder, 'exit');
    this.holder.stdin.end();
    await ended;
  }
}

let cables = 0;

// A cable from one machine to the other. `first` and `second` are the addresses at its ends, with their prefix lengths.
export function connectMachines([one, ...first], [other, ...second]) {
  cables += 1;
  const [here, there] = [`cable${cables}a`, `cable${cables}b`];
  one.run('ip', 'link', 'add', here, 'type', 'veth', 'peer', 'name', `${there}`);
  one.run('ip', 'link', 'set', there, 'netns', String(other.holder.pid));
  for (const [machine, name, addresses] of [[one, here, first], [other, there, second]]) {
    for (const address of addresses) {
      machine.run('ip', 'address', 'add', address, 'dev', name, ...(address.includes(':') ? ['nodad'] : []));
    }
    machine.run('ip', 'link', 'set', name, 'up');
  }
  return here;
}
