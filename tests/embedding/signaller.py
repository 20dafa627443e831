#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""How an application in Python brings its own signalling to webrtcuploadserver: an object with the interface
GstWebrtcUpload.Signaller. Here peer and server are in one process; an application's signaller sends the texts over whatever
it has: a web socket, a message broker, a queue.

    signaller.py FILE    uploads FILE over a real connection on 127.0.0.1, and compares what has arrived
"""

import sys
import tempfile
import threading
from pathlib import Path

from embedding import be_told, make_peer, say, set_description
from gi.repository import GLib, GObject, Gst, GstWebRTC, GstWebrtcUpload


class LocalSignaller(GObject.Object, GstWebrtcUpload.Signaller):
    """Each do_ function is called by the element: do_start and do_stop where its state is changed, the others on a thread
    of its own, where they may block."""

    def __init__(self):
        super().__init__()
        self.calls = []
        self.answered = threading.Event()
        self.refused = threading.Event()
        self.ended = threading.Event()
        self.sdp = None
        self.may_start = True

    def do_start(self):
        self.calls.append('start')
        if not self.may_start:
            raise GLib.Error('there is no network', 'example', 1)
        return True

    def do_stop(self):
        self.calls.append('stop')

    def do_answer(self, name, sdp):
        say(f'signaller: the answer for {name}')
        self.calls.append(f'answer {name}')
        self.sdp = sdp
        self.answered.set()

    def do_refuse(self, name, code, message):
        say(f'signaller: {name} is refused, {code}: {message}')
        self.calls.append(f'refuse {name} {code}')
        self.refused.set()

    def do_end(self, name, code, _message):
        say(f'signaller: {name} has ended' + (f', {code}' if code else ''))
        self.calls.append(f'end {name}')
        self.ended.set()


def expect(what, seen, wanted):
    if seen != wanted:
        sys.exit(f'signaller: {what}: {seen!r} instead of {wanted!r}')


def complete_offer(webrtcbin):
    """The offer with all of its ICE candidates, as text."""
    gathered = threading.Event()

    def on_state(_webrtcbin, _property):
        if webrtcbin.get_property('ice-gathering-state') == GstWebRTC.WebRTCICEGatheringState.COMPLETE:
            gathered.set()

    webrtcbin.connect('notify::ice-gathering-state', on_state)
    promise = Gst.Promise.new()
    webrtcbin.emit('create-offer', None, promise)
    promise.wait()
    reply = promise.get_reply()
    set_description(webrtcbin, 'local', reply.get_value('offer'))
    if not gathered.wait(60):
        sys.exit('signaller: no candidates within 60 s')
    return webrtcbin.get_property('pending-local-description').sdp.as_text()


def wait_end(pipeline, what):
    message = pipeline.get_bus().timed_pop_filtered(60 * Gst.SECOND, Gst.MessageType.EOS | Gst.MessageType.ERROR)
    if not message or message.type == Gst.MessageType.ERROR:
        sys.exit(f'signaller: {what}: {message.parse_error()[0].message if message else "nothing within 60 s"}')


def main():
    Gst.init(None)
    if len(sys.argv) != 2:
        sys.exit('usage: signaller.py FILE')
    film = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / 'copy'
        server = Gst.parse_launch('webrtcuploadserver name=server ! filesink name=file')
        server.get_by_name('file').set_property('location', str(copy))
        signaller = LocalSignaller()
        server.get_by_name('server').set_property('signaller', signaller)

        signaller.may_start = False
        expect('a start without a network', server.set_state(Gst.State.PLAYING), Gst.StateChangeReturn.FAILURE)
        text = server.get_bus().timed_pop_filtered(60 * Gst.SECOND, Gst.MessageType.ERROR).parse_error()[0].message
        expect('the error', text, 'The signaller does not start: there is no network.')
        server.set_state(Gst.State.NULL)
        signaller.may_start = True
        server.set_state(Gst.State.PLAYING)

        expect('an odd offer', signaller.emit('offer', 'odd', 'this is no offer'), True)
        if not signaller.refused.wait(60):
            sys.exit('signaller: no refusal')

        sending, sender = make_peer('sender')
        upload = Gst.parse_launch('filesrc name=file ! webrtcuploadsink name=sink')
        upload.get_by_name('file').set_property('location', str(film))
        upload.get_by_name('sink').set_property('webrtcbin', sender)
        upload.set_state(Gst.State.PLAYING)
        expect('the offer', signaller.emit('offer', 'peer', complete_offer(sender)), True)
        if not signaller.answered.wait(60):
            sys.exit('signaller: no answer')
        be_told(sender, GstWebRTC.WebRTCSDPType.ANSWER, signaller.sdp)
        wait_end(server, 'receiving')
        wait_end(upload, 'sending')
        expect('the file', copy.read_bytes() == film.read_bytes(), True)

        server.set_state(Gst.State.NULL)
        # The sender's webrtcbin is this program's own, and in use until it is stopped.
        upload.get_by_name('sink').emit('prepare-stop', sender)
        for pipeline in (upload, sending):
            pipeline.set_state(Gst.State.NULL)
        expect('the end', signaller.ended.is_set(), True)
        expect('what the signaller was told', signaller.calls,
               ['start', 'start', 'refuse odd InvalidOffer', 'answer peer', 'end peer', 'stop'])
        expect('an offer after the end', signaller.emit('offer', 'late', 'v=0'), False)
        say('the file has arrived as it is')


if __name__ == '__main__':
    main()
