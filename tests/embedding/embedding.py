#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""How an application in Python embeds webrtcupload: negotiate, attach, decode, react to every signal. A complete program,
with both peers in it so that it runs by itself; an application has one of them, and a server between.

    embedding.py FILE    sends the video FILE over a real connection on 127.0.0.1 and looks at its frames

Debian's packages for it: python3-gi, gir1.2-gst-plugins-base-1.0, gir1.2-gst-plugins-bad-1.0.
"""

import ctypes
import sys
import threading

import gi

gi.require_version('Gst', '1.0')
gi.require_version('GstSdp', '1.0')
gi.require_version('GstWebRTC', '1.0')
gi.require_version('GstWebrtcUpload', '1.0')
from gi.repository import GLib, Gst, GstSdp, GstWebRTC, GstWebrtcUpload  # noqa: E402

# ------------------------------------------------------------------------------------ 1. the receiver


class Analysis:
    """The pipeline that works on the video. Signals are emitted on the upload's own thread, messages come on the main
    loop's, frames on a streaming thread."""

    def __init__(self, max_bytes):
        self.max_bytes = max_bytes
        self.frames = 0
        self.error = None
        self.loop = GLib.MainLoop()
        self.pipeline = Gst.parse_launch(
            'webrtcupload name=upload wait-for-peer=true idle-timeout=10000000000 '
            '! decodebin ! videoconvert ! video/x-raw,format=RGB ! appsink name=frames emit-signals=true sync=false')
        self.upload = self.pipeline.get_by_name('upload')
        self.upload.connect('authorize', self.on_authorize)
        self.upload.connect('check-quota', self.on_check_quota)
        self.upload.connect('upload-complete', self.on_upload_complete)
        self.upload.connect('upload-failed', self.on_upload_failed)
        self.upload.connect('notify::state', self.on_state)
        self.pipeline.get_by_name('frames').connect('new-sample', self.on_frame)
        bus = self.pipeline.get_bus()
        bus.add_signal_watch()
        bus.connect('message', self.on_message)

    def on_authorize(self, _upload, request):
        """The first chunk is here and nothing is stored yet. May take its time: look at a data base, ask a person. False
        refuses."""
        size = request.get_value('estimated-size')
        say(f'authorize: about {size} bytes')
        return size <= self.max_bytes

    def on_check_quota(self, _upload):
        """Every `quota-interval`, to the end of the processing. False ends it."""
        say('check-quota')
        return True

    def on_upload_complete(self, upload):
        stats = upload.get_property('stats')
        say(f'upload-complete: {stats.get_value("bytes")} bytes')

    def on_upload_failed(self, _upload, error):
        """Also posted on the bus, as the pipeline's error."""
        if error.matches(GstWebrtcUpload.error_quark(), GstWebrtcUpload.Error.UNAUTHORIZED):
            say('upload-failed: refused')
        else:
            say(f'upload-failed: {error.message}')

    def on_state(self, upload, _property):
        say(f'state: {upload.get_property("state").value_nick}')

    def on_frame(self, sink):
        """A frame's pixels are in the sample's buffer; here it is only looked at how large they are."""
        sample = sink.emit('pull-sample')
        size = sample.get_caps().get_structure(0)
        if self.frames == 0:
            say(f'first frame: {size.get_value("width")} x {size.get_value("height")}')
        self.frames += 1
        return Gst.FlowReturn.OK

    def on_message(self, _bus, message):
        if message.type == Gst.MessageType.PROGRESS:
            say(message.parse_progress()[2])
        elif message.type == Gst.MessageType.ERROR:
            details = message.parse_error_details()
            # None where the error is not the upload's own: a decoder's, for example.
            self.error = details.get_value('error-code') if details else message.parse_error()[0].message
            self.loop.quit()
        elif message.type == Gst.MessageType.EOS:
            self.loop.quit()

    def attach(self, webrtcbin):
        """Before the answer is made: the element has to see the peer's channel come."""
        self.pipeline.set_state(Gst.State.PLAYING)
        if not self.upload.emit('attach', webrtcbin):
            sys.exit('embedding: the peer cannot be attached')

    def run(self):
        GLib.timeout_add_seconds(60, self.give_up)
        self.loop.run()
        self.pipeline.set_state(Gst.State.NULL)
        self.pipeline.get_bus().remove_signal_watch()

    def give_up(self):
        self.error = 'nothing happened for 60 s'
        self.loop.quit()
        return GLib.SOURCE_REMOVE


# ---------------------------------------------------------------------------------------- 2. the peers


def make_peer(name, address='127.0.0.1'):
    pipeline = Gst.Pipeline.new(name)
    webrtcbin = Gst.ElementFactory.make('webrtcbin', 'pc')
    if not webrtcbin:
        sys.exit("embedding: there is no webrtcbin: install gst-plugins-bad and libnice's plugin")
    # Browsers that offer an unused m=video reach "connected" only with this one.
    webrtcbin.set_property('bundle-policy', GstWebRTC.WebRTCBundlePolicy.MAX_BUNDLE)
    pipeline.add(webrtcbin)
    stay_at(webrtcbin, address)
    pipeline.set_state(Gst.State.PLAYING)
    return pipeline, webrtcbin


def stay_at(webrtcbin, address):
    """An application leaves this out, or sets `stun-server`."""
    ice = webrtcbin.get_property('ice-agent')
    # GStreamer 1.22's webrtcbin hands out a floating reference. Python takes that for its own, and would free the agent that
    # webrtcbin still uses: a reference is missing.
    if ice.__grefcount__ == 1:
        ctypes.CDLL('libgobject-2.0.so.0').g_object_ref(ctypes.c_void_p(hash(ice)))
    if not ice.emit('add-local-ip-address', address):
        sys.exit(f'embedding: cannot restrict ICE to {address}')
    # libnice asks the routers around to open ports, unless told not to.
    ice.get_property('agent').set_property('upnp', False)


# ---------------------------------------------------------------------------------------- 3. negotiation


def set_description(webrtcbin, which, description):
    promise = Gst.Promise.new()
    webrtcbin.emit(f'set-{which}-description', description, promise)
    promise.wait()


def describe(webrtcbin, what):
    """Makes the offer or the answer, and returns its text, which an application sends to the other side."""
    promise = Gst.Promise.new()
    webrtcbin.emit(f'create-{what}', None, promise)
    promise.wait()
    # What is taken from the reply lives as long as the reply does.
    reply = promise.get_reply()
    description = reply.get_value(what)
    text = description.sdp.as_text()
    set_description(webrtcbin, 'local', description)
    return text


def be_told(webrtcbin, kind, text):
    """The other side's offer or answer has come."""
    _result, message = GstSdp.SDPMessage.new_from_text(text)
    set_description(webrtcbin, 'remote', GstWebRTC.WebRTCSessionDescription.new(kind, message))


def negotiate(offerer, answerer):
    # Candidates go to the other side as they are found; over the network an application sends them with the rest of its
    # signalling.
    for one, other in ((offerer, answerer), (answerer, offerer)):
        one.connect('on-ice-candidate',
                    lambda _peer, mline, candidate, other=other: other.emit('add-ice-candidate', mline, candidate))
    be_told(answerer, GstWebRTC.WebRTCSDPType.OFFER, describe(offerer, 'offer'))
    be_told(offerer, GstWebRTC.WebRTCSDPType.ANSWER, describe(answerer, 'answer'))


# ---------------------------------------------------------------------------------------- 4. all together

SAYS = threading.Lock()


def say(line):
    with SAYS:
        print(line, flush=True)


def transfer(path, max_bytes):
    """One upload of the file from one webrtcbin to the other. Returns how it ended."""
    receiving, receiver = make_peer('receiver')
    sending, sender = make_peer('sender')
    analysis = Analysis(max_bytes)
    analysis.attach(receiver)
    upload = Gst.parse_launch('filesrc name=file ! webrtcuploadsink name=sink')
    upload.get_by_name('file').set_property('location', path)
    upload.get_by_name('sink').set_property('webrtcbin', sender)
    upload.set_state(Gst.State.PLAYING)
    negotiate(sender, receiver)
    analysis.run()
    upload.set_state(Gst.State.NULL)
    # While its peer may still send, a webrtcbin has to be prepared before it is stopped.
    for pipeline, webrtcbin in ((sending, sender), (receiving, receiver)):
        if not analysis.upload.emit('prepare-stop', webrtcbin):
            sys.exit('embedding: a webrtcbin that is none')
        pipeline.set_state(Gst.State.NULL)
    return analysis


def main():
    Gst.init(None)
    if len(sys.argv) != 2:
        sys.exit('usage: embedding.py FILE')
    analysed = transfer(sys.argv[1], max_bytes=100_000_000)
    if analysed.error:
        sys.exit(f'embedding: {analysed.error}')
    say(f'decoded {analysed.frames} frames')
    # What a peer is told that may not upload so much.
    refused = transfer(sys.argv[1], max_bytes=0)
    say(f'the second upload: {refused.error}, {refused.frames} frames')
    if analysed.frames == 0 or refused.error != 'unauthorized':
        sys.exit(1)


if __name__ == '__main__':
    main()
