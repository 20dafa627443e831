#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A receiver for tests of clients: the element `webrtcupload`, and as many peers of it as are asked for.

    v2_receiver.py ADDRESS [authorize=WHAT] [check-quota=WHAT] [PROPERTY=VALUE ...]

WHAT is `yes`, `no`, or a number: yes, once so many bytes of messages wait. Each line of standard input is JSON: {"offer": SDP},
which attaches another peer, or {"cancel": true}. Each event is a line of JSON on standard output: `answer`, which has the
`sdp`; `end`, with the `code` of a failure or null.
"""

import hashlib
import json
import signal
import sys
import threading
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent / 'embedding'))
from embedding import Gst, GstWebRTC, be_told, describe, make_peer  # noqa: E402

SIGNALS = ('authorize=', 'check-quota=')
LOCK = threading.Lock()


def say(event, **fields):
    with LOCK:
        print(json.dumps({'event': event, **fields}), flush=True)


class Receiver:
    def __init__(self, answers, properties):
        self.stopped = threading.Event()
        self.hash = hashlib.sha256()
        self.peers = []
        self.pipeline = Gst.parse_launch(
            f'webrtcupload name=upload wait-for-peer=true {properties} ! fakesink name=sink signal-handoffs=true sync=false')
        self.upload = self.pipeline.get_by_name('upload')
        for signal_name, what in answers.items():
            self.upload.connect(signal_name, self.on_asked, what)
        self.pipeline.get_by_name('sink').connect('handoff', self.on_handoff)
        threading.Thread(target=self.wait_for_end, daemon=True).start()
        self.pipeline.set_state(Gst.State.PLAYING)

    def on_asked(self, upload, *details):
        what = details[-1]
        while what.isdigit() and upload.get_property('stats').get_value('backlog') < int(what):
            if self.stopped.wait(0.01):
                return False
        return what != 'no'

    def on_handoff(self, _sink, buffer, _pad):
        self.hash.update(buffer.extract_dup(0, buffer.get_size()))

    def wait_for_end(self):
        message = self.pipeline.get_bus().timed_pop_filtered(
            Gst.CLOCK_TIME_NONE, Gst.MessageType.EOS | Gst.MessageType.ERROR)
        details = message.type == Gst.MessageType.ERROR and message.parse_error_details()
        say('end', code=details.get_value('error-code') if details else None, sha256=self.hash.hexdigest())

    def answer(self, address, offer):
        pipeline, webrtcbin = make_peer(f'peer{len(self.peers)}', address)
        self.peers.append((pipeline, webrtcbin))
        if not self.upload.emit('attach', webrtcbin):
            sys.exit('the peer cannot be attached')
        gathered = threading.Event()
        webrtcbin.connect('notify::ice-gathering-state', lambda *_: is_gathered(webrtcbin) and gathered.set())
        be_told(webrtcbin, GstWebRTC.WebRTCSDPType.OFFER, offer)
        describe(webrtcbin, 'answer')
        if not is_gathered(webrtcbin):
            gathered.wait()
        say('answer', sdp=webrtcbin.get_property('local-description').sdp.as_text())

    def stop(self):
        for pipeline, webrtcbin in self.peers:
            self.upload.emit('prepare-stop', webrtcbin)
            pipeline.set_state(Gst.State.NULL)
        self.pipeline.set_state(Gst.State.NULL)


def is_gathered(webrtcbin):
    return webrtcbin.get_property('ice-gathering-state') == GstWebRTC.WebRTCICEGatheringState.COMPLETE


def main():
    Gst.init(None)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    address, *options = sys.argv[1:]
    answers = dict(option.split('=') for option in options if option.startswith(SIGNALS))
    receiver = Receiver(answers, ' '.join(option for option in options if not option.startswith(SIGNALS)))
    try:
        for line in sys.stdin:
            request = json.loads(line)
            if 'offer' in request:
                receiver.answer(address, request['offer'])
            elif 'cancel' in request:
                receiver.upload.emit('cancel')
    finally:
        receiver.stopped.set()
        receiver.stop()


if __name__ == '__main__':
    main()
