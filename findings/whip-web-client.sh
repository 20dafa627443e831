#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A WHIP client on npm finds no TURN server in what RFC 9725 lets servers say, and sends a PATCH without candidate.
#
# RFC 9725, section 4.6: Link headers name STUN and TURN servers, also in the answer to OPTIONS. A Link's target stands
# between < and > (RFC 8288, section 3). RFC 9725, section 4.3: a PATCH brings later candidates as an SDP fragment and
# names the ICE session's tag in `If-Match`. Browsers name the first m-line `a=mid:0`.
#
# Seen with @eyevinn/whip-web-client 1.1.7: setIceServersFromEndpoint() reads only an early draft's form, without < and
# >. With the RFC's it sets an empty list, which also takes away the servers that the application gave.
# Its PATCH names the tag in `ETag`, a header of responses, and has an empty body if the m-line is `a=mid:0`.
# Expected: the headers' servers; `If-Match`; the candidate with its m-line's `mid`, whatever that is.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >npm.log
npm install --ignore-scripts --no-audit --no-fund @eyevinn/whip-web-client@1.1.7 sdp-transform@2.15.0 >>npm.log 2>&1

cat >look.mjs <<'JS'
import { once } from 'node:events';
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import whip from '@eyevinn/whip-web-client';

let link;
const server = createServer(async (request, response) => {
  const body = await text(request);
  const headers = { ETag: '"session"', Location: '/session', 'Access-Control-Allow-Methods': 'PATCH', Link: link };
  response.writeHead(request.method === 'POST' ? 201 : 204, headers).end();
  if (request.method === 'PATCH') server.emit('patch', request.headers, body);
});
await once(server.listen(0, '127.0.0.1'), 'listening');
const endpoint = `http://127.0.0.1:${server.address().port}/whip`;

// What the client asks of RTCPeerConnection here.
function peerAndClient(mid) {
  const head = ['v=0', 'o=- 0 0 IN IP4 127.0.0.1', 's=-', 't=0 0', 'a=ice-ufrag:user', 'a=ice-pwd:password'];
  const offer = { sdp: [...head, 'm=video 9 UDP/TLS/RTP/SAVPF 96', `a=mid:${mid}`, ''].join('\r\n') };
  const peer = Object.assign(new EventTarget(), { localDescription: offer, createOffer: async () => offer });
  peer.setConfiguration = peer.setLocalDescription = peer.setRemoteDescription = (value) => { peer.set = value; };
  return [peer, new whip.WHIPClient({ endpoint, opts: { authkey: 'key' }, peerConnectionFactory: () => peer })];
}

for (const target of ['<turn:turn.example.net>', 'turn:turn.example.net']) {
  link = `${target}; rel="ice-server"; username="user"; credential="secret"; credential-type="password"`;
  const [peer, client] = peerAndClient('0');
  await client.setIceServersFromEndpoint();
  console.log(`Link: ${target} -> ${JSON.stringify(peer.set.iceServers)}`);
}
for (const mid of ['0', 'video']) {
  const [peer, client] = peerAndClient(mid);
  await client.ingest({ getTracks: () => [] });
  const candidate = { component: 'rtp', protocol: 'udp', priority: 1, address: '192.0.2.1', port: 9, type: 'host' };
  peer.dispatchEvent(Object.assign(new Event('icecandidate'), { candidate }));
  const [{ etag, 'if-match': match }, body] = await once(server, 'patch');
  console.log(`mid ${mid}: ETag ${etag}, If-Match ${match}, ${body.match(/a=(mid:.*|candidate)/g) ?? 'no candidate'}`);
}
process.exit(0);
JS
cat >expected <<'TEXT'
Link: <turn:turn.example.net> -> []
Link: turn:turn.example.net -> [{"urls":"turn:turn.example.net","username":"user","credential":"secret"}]
mid 0: ETag "session", If-Match undefined, no candidate
mid video: ETag "session", If-Match undefined, a=mid:video,a=candidate
TEXT
timeout 60 node look.mjs >seen
cat seen
diff expected seen
