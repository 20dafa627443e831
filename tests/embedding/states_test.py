#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every element goes to each state and back, alone and in pipelines, as GStreamer's own check of all elements does; then
seeks, flushes and state changes in random order, while a file is uploaded over a real connection. Criticals end the program
(G_DEBUG), and so does whatever hangs.

    states_test.py FILE [SEED]      without SEED the seeds 1 to 3
"""

import faulthandler
import hashlib
import random
import sys
from pathlib import Path

from embedding import Gst, make_peer, negotiate

ELEMENTS = ['webrtcupload', 'webrtcuploadsink', 'webrtcresultsink', 'webrtcuploadserver', 'webrtcuploadopaque',
            'webrtcuploadvp8dec', 'webrtcuploadvp9dec']
STATES = [Gst.State.NULL, Gst.State.READY, Gst.State.PAUSED, Gst.State.PLAYING]
# What starts without a peer.
PIPELINES = ['webrtcupload wait-for-peer=true ! fakesink', 'webrtcupload wait-for-peer=true progressive=true ! fakesink',
             'webrtcuploadserver port=0 ! fakesink',
             'videotestsrc num-buffers=3 ! webrtcresultsink channel-timeout=1000000 webrtcbin-name=pc webrtcbin name=pc',
             'fakesrc num-buffers=3 sizetype=fixed sizemax=9 ! webrtcuploadsink size=27 webrtcbin-name=pc webrtcbin name=pc']
# So long one thing may take, on a busy machine.
PATIENCE = 120


def within_patience(what):
    print(what, flush=True)
    faulthandler.dump_traceback_later(PATIENCE, exit=True)


def to_each_state(element, what):
    """From each state to each other, through those between, twice; those that cannot be reached are left."""
    for _ in range(2):
        for first in STATES:
            for second in STATES:
                within_patience(f'{what}: {first.value_nick} to {second.value_nick}')
                for state in (first, second):
                    if element.set_state(state) == Gst.StateChangeReturn.FAILURE:
                        element.set_state(Gst.State.NULL)
    result = element.set_state(Gst.State.NULL)
    if result != Gst.StateChangeReturn.SUCCESS:
        sys.exit(f'{what}: to NULL: {result}')


def all_states():
    for name in ELEMENTS:
        element = Gst.ElementFactory.make(name)
        if not element:
            sys.exit(f'there is no {name}')
        to_each_state(element, name)
    for description in PIPELINES:
        pipeline = Gst.parse_launch(description)
        to_each_state(pipeline, description)
        # What comes up without complaint after all that.
        if pipeline.set_state(Gst.State.PLAYING) == Gst.StateChangeReturn.FAILURE:
            sys.exit(f'{description}: does not play any more')
        pipeline.set_state(Gst.State.NULL)


class Upload:
    """A connection of its own, over which the file is uploaded into a pipeline that has started."""

    def __init__(self, path, receiver):
        self.receiving, peer = make_peer('receiver')
        self.sending, sender = make_peer('sender')
        if not receiver.emit('attach', peer):
            sys.exit('the peer cannot be attached')
        self.pipeline = Gst.parse_launch('filesrc name=file ! webrtcuploadsink name=sink')
        self.pipeline.get_by_name('file').set_property('location', path)
        self.pipeline.get_by_name('sink').set_property('webrtcbin', sender)
        self.pipeline.set_state(Gst.State.PLAYING)
        negotiate(sender, peer)

    def stop(self):
        for pipeline in (self.pipeline, self.sending, self.receiving):
            pipeline.set_state(Gst.State.NULL)


def commotion(path, seed, progressive):
    chance = random.Random(seed)
    pipeline = Gst.parse_launch(f'webrtcupload name=upload wait-for-peer=true progressive={str(progressive).lower()} '
                                '! fakesink name=sink signal-handoffs=true sync=false')
    received = hashlib.sha256()
    upload = pipeline.get_by_name('upload')
    pipeline.set_state(Gst.State.PLAYING)
    transfer = Upload(path, upload)
    size = Path(path).stat().st_size

    def seek(flags):
        pipeline.seek(1.0, Gst.Format.BYTES, flags, Gst.SeekType.SET, chance.randrange(size), Gst.SeekType.NONE, -1)

    def flush():
        upload.send_event(Gst.Event.new_flush_start())
        upload.send_event(Gst.Event.new_flush_stop(chance.random() < 0.5))

    actions = [lambda: seek(Gst.SeekFlags.FLUSH), lambda: seek(Gst.SeekFlags.FLUSH | Gst.SeekFlags.ACCURATE), flush,
               lambda: pipeline.set_state(Gst.State.PAUSED), lambda: pipeline.set_state(Gst.State.PLAYING),
               lambda: pipeline.get_state(chance.randrange(20) * Gst.MSECOND),
               lambda: upload.query_duration(Gst.Format.BYTES), lambda: upload.get_property('stats')]
    for step in range(60):
        within_patience(f'seed {seed}, progressive {progressive}, step {step}')
        chance.choice(actions)()
    for state in chance.choices(STATES, k=6):
        within_patience(f'seed {seed}, progressive {progressive}, {state.value_nick}')
        pipeline.set_state(state)
    transfer.stop()

    # And all is well afterwards: another upload comes through whole.
    within_patience(f'seed {seed}, progressive {progressive}, another upload')
    pipeline.set_state(Gst.State.NULL)
    bus = pipeline.get_bus()
    bus.set_flushing(True)
    bus.set_flushing(False)

    def on_handoff(_sink, buffer, _pad):
        received.update(buffer.extract_dup(0, buffer.get_size()))

    pipeline.get_by_name('sink').connect('handoff', on_handoff)
    pipeline.set_state(Gst.State.PLAYING)
    transfer = Upload(path, upload)
    message = bus.timed_pop_filtered(PATIENCE * Gst.SECOND, Gst.MessageType.EOS | Gst.MessageType.ERROR)
    if not message or message.type != Gst.MessageType.EOS:
        sys.exit(f'seed {seed}: {message.parse_error() if message else "no end"}')
    pipeline.set_state(Gst.State.NULL)
    transfer.stop()
    if received.digest() != hashlib.sha256(Path(path).read_bytes()).digest():
        sys.exit(f'seed {seed}: other bytes than those of the file')


def main():
    Gst.init(None)
    if len(sys.argv) < 2:
        sys.exit('usage: states_test.py FILE [SEED]')
    all_states()
    for seed in [int(seed) for seed in sys.argv[2:]] or [1, 2, 3]:
        for progressive in (False, True):
            commotion(sys.argv[1], seed, progressive)
    faulthandler.cancel_dump_traceback_later()


if __name__ == '__main__':
    main()
