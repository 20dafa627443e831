#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every element goes to each state and back, alone and in pipelines, as GStreamer's own check of all elements does, and is
looked at meanwhile: its pads, what it says on the bus, what it leaves behind; then
seeks, flushes and state changes in random order, while a file is uploaded over a real connection. Criticals end the program
(G_DEBUG), and so does whatever hangs.

    states_test.py FILE [SEED]      without SEED the seeds 1 to 3
"""

import ctypes
import faulthandler
import gc
import hashlib
import os
import random
import sys
import threading
import time
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
# How often an element is started to see what that costs, and what it may: what others keep is less, by and by.
CYCLES = 200
MOST_PER_CYCLE = 100


def within_patience(what):
    print(what, flush=True)
    faulthandler.dump_traceback_later(PATIENCE, exit=True)


def complain(what, problem):
    sys.exit(f'{what}: {problem}')


def own_elements(element):
    """Those of ours in a pipeline, or the one itself. Bins of ours are looked at from outside."""
    if not isinstance(element, Gst.Pipeline):
        return [element]
    return [inner for inner in element.children if inner.get_factory().get_name() in ELEMENTS]


def look_at_pads(element, what, active):
    """GstElement activates pads from PAUSED on, and deactivates them below, which takes their caps from them."""
    for own in own_elements(element):
        for pad in own.pads:
            if pad.is_active() != active:
                complain(what, f'{own.get_name()}:{pad.get_name()} is {"not " if active else ""}active')
            if not active and pad.get_current_caps():
                complain(what, f'{own.get_name()}:{pad.get_name()} keeps its caps')


def go(element, bus, state, what):
    """To a state; only those above READY may be out of reach, which leaves the element in NULL."""
    before = element.get_state(0).state
    bus.set_flushing(True)
    bus.set_flushing(False)
    result = element.set_state(state)
    if result == Gst.StateChangeReturn.FAILURE:
        if state <= Gst.State.READY:
            complain(what, f'{before.value_nick} to {state.value_nick} fails')
        go(element, bus, Gst.State.NULL, what)
    elif state <= Gst.State.READY:
        reached = element.get_state(PATIENCE * Gst.SECOND)
        if reached[0] != Gst.StateChangeReturn.SUCCESS or reached.state != state:
            complain(what, f'{state.value_nick} is not reached, but {reached.state.value_nick}')
        message = bus.pop_filtered(Gst.MessageType.ERROR | Gst.MessageType.WARNING)
        if message and before <= Gst.State.READY:
            complain(what, f'{before.value_nick} to {state.value_nick}: {message.get_structure().to_string()}')
        look_at_pads(element, what, active=False)
    else:
        look_at_pads(element, what, active=True)


class MallocInfo(ctypes.Structure):
    """The struct mallinfo2 of the C library."""
    _fields_ = [(name, ctypes.c_size_t) for name in ('arena', 'ordblks', 'smblks', 'hblks', 'hblkhd', 'usmblks', 'fsmblks',
                                                     'uordblks', 'fordblks', 'keepcost')]


def used_memory():
    """Bytes that this process has from malloc() and has not given back."""
    mallinfo = ctypes.CDLL(None).mallinfo2
    mallinfo.restype = MallocInfo
    return mallinfo().uordblks


def open_ends():
    """Descriptors and threads."""
    return len(os.listdir('/proc/self/fd')), len(os.listdir('/proc/self/task'))


def look_for_leaks(element, bus, what):
    """What it costs to be started again and again, to a state that it reaches: nothing."""
    highest = Gst.State.READY
    if element.set_state(Gst.State.PAUSED) != Gst.StateChangeReturn.FAILURE:
        highest = Gst.State.PAUSED

    def often(times):
        for _ in range(times):
            go(element, bus, highest, what)
            go(element, bus, Gst.State.NULL, what)

    # What is kept from the first time on is no leak.
    often(10)
    ends, memory = open_ends(), used_memory()
    often(CYCLES)
    cost = (used_memory() - memory) / CYCLES
    if cost > MOST_PER_CYCLE:
        complain(what, f'each time it has been in {highest.value_nick} costs {cost:.0f} bytes')
    until = time.monotonic() + PATIENCE / 2
    while any(now > then for now, then in zip(open_ends(), ends)):
        if time.monotonic() > until:
            complain(what, f'{open_ends()} descriptors and threads are left of {ends}')
        # Threads of a pool end some time after they have had nothing to do.
        time.sleep(0.1)


def to_each_state(make, what):
    """From each state to each other, through those between, twice."""
    element = make()
    if not element:
        complain(what, 'cannot be made')
    bus = element.get_bus()
    if not bus:
        bus = Gst.Bus()
        element.set_bus(bus)
    for _ in range(2):
        for first in STATES:
            for second in STATES:
                within_patience(f'{what}: {first.value_nick} to {second.value_nick}')
                for state in (first, second):
                    go(element, bus, state, what)
    go(element, bus, Gst.State.NULL, what)
    # What a webrtcbin costs is not ours.
    if ' webrtcbin ' not in what:
        within_patience(f'{what}: leaks')
        look_for_leaks(element, bus, what)
    # What comes up without complaint after all that.
    if isinstance(element, Gst.Pipeline) and element.set_state(Gst.State.PLAYING) == Gst.StateChangeReturn.FAILURE:
        complain(what, 'does not play any more')
    go(element, bus, Gst.State.NULL, what)
    gone = threading.Event()
    element.weak_ref(gone.set)
    del element
    gc.collect()
    if not gone.wait(PATIENCE / 2):
        complain(what, 'is kept by somebody')


def all_states():
    for name in ELEMENTS:
        to_each_state(lambda name=name: Gst.ElementFactory.make(name), name)
    for description in PIPELINES:
        to_each_state(lambda description=description: Gst.parse_launch(description), description)


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
