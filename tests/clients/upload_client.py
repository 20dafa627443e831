# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A client on aiortc that speaks to a server over HTTP and data channels as the public Python SDK does, and keeps what the
# server says.

import asyncio
import json
import struct
import urllib.error
import urllib.parse
import urllib.request

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError

CHUNK_SIZE = 49152
BUFFER_LIMIT = 262144
RESULT_HEADER = struct.Struct("<III")
SDP = "application/sdp"


class Refused(Exception):
    """The server's answer to an offer it does not take."""

    def __init__(self, status, body):
        super().__init__("%d: %s" % (status, body))
        self.status, self.body = status, body


def call(url, method, key, body=None, kind="application/json"):
    """(status, JSON, SDP or None, headers) of one HTTP request."""
    headers = {"Content-Type": kind}
    if key is not None:
        headers["Authorization"] = "Bearer " + key
    data = body if body is None or kind == SDP else json.dumps(body)
    request = urllib.request.Request(url, data=data and data.encode(), headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            text = reply.read().decode()
            if reply.headers.get_content_type() != SDP:
                text = json.loads(text) if text else None
            return reply.status, text, reply.headers
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read()), error.headers


class UploadClient:
    """One upload. `realtime=False` acknowledges every result, as the SDK does, `pause` seconds later. `endpoint` is where the
    offer goes: "initialise_webrtc_worker" as JSON, "upload" as SDP."""

    def __init__(self, url, film, key=None, realtime=False, stream_output=None, data_output=("predictions",),
                 chunk_size=CHUNK_SIZE, endpoint="initialise_webrtc_worker", pause=0):
        self.url, self.film, self.key, self.realtime = url, film, key, realtime
        self.stream_output = [] if stream_output is None else [stream_output]
        self.data_output = list(data_output)
        self.chunk_size = chunk_size
        self.endpoint, self.pause = endpoint, pause
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.results = []  # (frame id of the header, the JSON)
        self.video_frames = []  # (pts in units of 1/90000, top of the red box or None)
        self.came = asyncio.Condition()
        self.sent = asyncio.Event()
        self.acknowledged = 0
        self.problems = []
        self._partial = {}
        self._tasks = []

    def __str__(self):
        channels = [(channel.label, channel.readyState) for channel in (self.channel, self.upload_channel)]
        return "%s, ICE %s, %s, sent all: %s, %d results, %d video frames, the last result %s" % (
            self.pc.connectionState, self.pc.iceConnectionState, channels, self.sent.is_set(), len(self.results),
            len(self.video_frames), self.results[-1:])

    async def start(self):
        if self.stream_output:
            self.pc.addTransceiver("video", direction="recvonly")
        self.pc.on("track", self._on_track)
        self.channel = self.pc.createDataChannel("inference")
        self.channel.on("message", self._on_message)
        self.upload_channel = self.pc.createDataChannel("video_upload")
        self.upload_channel.on("open", lambda: self._start(self._upload()))

        await self.pc.setLocalDescription(await self.pc.createOffer())
        offer = self._offer_sdp if self.endpoint == "upload" else self._offer
        answer, self.reply_headers = await offer()
        await self.pc.setRemoteDescription(answer)

    async def close(self):
        await self.pc.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def results_came(self, count):
        async with self.came:
            await self.came.wait_for(lambda: len(self.results) >= count)

    async def video_frames_came(self, count):
        while len(self.video_frames) < count:
            await asyncio.sleep(0.01)

    async def closed_by_server(self):
        """Until the results channel is closed on both sides, which the server has to confirm."""
        while self.channel.readyState != "closed":
            await asyncio.sleep(0.01)

    async def _offer(self):
        body = {
            "webrtc_offer": {"type": self.pc.localDescription.type, "sdp": self.pc.localDescription.sdp},
            "api_key": self.key,
            "webrtc_config": None,
            "webrtc_realtime_processing": self.realtime,
            "stream_output": self.stream_output,
            "data_output": self.data_output,
            "video_file_upload": True,
            "workflow_configuration": {
                "type": "WorkflowConfiguration",
                "workspace_name": "any",
                "workflow_id": "default",
                "image_input_name": "image",
            },
        }
        status, reply, headers = await asyncio.get_running_loop().run_in_executor(
            None, call, self.url + "/initialise_webrtc_worker", "POST", self.key, body)
        if status != 200:
            raise Refused(status, reply)
        return RTCSessionDescription(sdp=reply["sdp"], type=reply["type"]), headers

    async def _offer_sdp(self):
        query = urllib.parse.urlencode([("data_output", name) for name in self.data_output] +
                                       [("realtime", str(self.realtime).lower())])
        status, reply, headers = await asyncio.get_running_loop().run_in_executor(
            None, call, self.url + "/upload?" + query, "POST", self.key, self.pc.localDescription.sdp, SDP)
        if status != 201:
            raise Refused(status, reply)
        return RTCSessionDescription(sdp=reply, type="answer"), headers

    def _start(self, coroutine):
        self._tasks.append(asyncio.ensure_future(coroutine))

    async def _upload(self):
        total = -(-len(self.film) // self.chunk_size)
        for index in range(total):
            while self.upload_channel.bufferedAmount > BUFFER_LIMIT:
                await asyncio.sleep(0.01)
            payload = self.film[index * self.chunk_size:(index + 1) * self.chunk_size]
            self.upload_channel.send(struct.pack("<II", index, total) + payload)
        self.sent.set()

    def _on_message(self, message):
        if not isinstance(message, bytes):
            return self.problems.append("a text message: %r" % message)
        frame, index, total = RESULT_HEADER.unpack_from(message)
        parts = self._partial.setdefault(frame, [])
        if index != len(parts) or len(message) - RESULT_HEADER.size > CHUNK_SIZE:
            self.problems.append("part %d of %d of frame %d after %d" % (index, total, frame, len(parts)))
        parts.append(message[RESULT_HEADER.size:])
        if len(parts) < total:
            return None
        del self._partial[frame]
        self.results.append((frame, json.loads(b"".join(parts))))
        if not self.realtime:
            self._start(self._acknowledge(frame))
        return self._start(self._tell())

    # The server may have closed the channel meanwhile.
    async def _acknowledge(self, frame):
        if self.pause:
            await asyncio.sleep(self.pause)
        if self.channel.readyState == "open":
            self.channel.send(json.dumps({"ack": frame}))
            self.acknowledged += 1

    async def _tell(self):
        async with self.came:
            self.came.notify_all()

    def _on_track(self, track):
        self._start(self._watch(track))

    async def _watch(self, track):
        while True:
            try:
                frame = await track.recv()
            except MediaStreamError:
                return
            self.video_frames.append((round(frame.pts * frame.time_base * 90000), top_of_box(frame)))


def top_of_box(frame):
    """Where the red box of a numbered film begins in a decoded frame."""
    plane = frame.reformat(format="yuv420p").planes[2]
    data = bytes(plane)
    for row in range(plane.height):
        if max(data[row * plane.line_size:row * plane.line_size + plane.width]) > 190:
            return 2 * row
    return None
