// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A UDP socket of each family on one port, for a test that drives it from another machine: commands on standard input,
// what happens on standard output, a JSON object a line. A message that begins with "echo " gets the rest of it as a reply.

import dgram from 'node:dgram';
import { once } from 'node:events';
import readline from 'node:readline';

const ECHO = 'echo ';
const say = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);

const sockets = { 4: dgram.createSocket('udp4'), 6: dgram.createSocket({ type: 'udp6', ipv6Only: true }) };
sockets[4].bind(0);
await once(sockets[4], 'listening');
sockets[6].bind(sockets[4].address().port);
await once(sockets[6], 'listening');
for (const socket of Object.values(sockets)) {
  socket.on('message', (message, { address, port }) => {
    if (message.toString('latin1').startsWith(ECHO)) socket.send(message.subarray(ECHO.length), port, address);
    else say({ message: message.toString('hex'), address, port });
  });
}
say({ port: sockets[4].address().port });

readline.createInterface({ input: process.stdin }).on('line', (line) => {
  const { message, address, port } = JSON.parse(line);
  sockets[address.includes(':') ? 6 : 4].send(Buffer.from(message, 'hex'), port, address);
}).on('close', () => process.exit(0));
