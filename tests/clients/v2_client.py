# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A client of the upload protocol's v2 on aiortc, written from docs/protocol.md alone: one file over one data channel or
# several, over one connection or several, and on after a lost one.

import asyncio
import hashlib
import json
import secrets
import struct

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

LABEL = "video_upload"
PROTOCOL = "webrtcupload.v2"
BLOCK_SIZE = 49152
BUFFER_LIMIT = 262144


def _crc_table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


_CRC_TABLE = _crc_table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def block(offset, payload, checksum=None):
    """The message of a block; with another checksum than the right one if there is one."""
    covered = struct.pack("<Q", offset) + payload
    return struct.pack("<BBHI", 1, 0, 0, crc32c(covered) if checksum is None else checksum) + covered


class UploadError(Exception):
    """The server's `error`."""

    def __init__(self, error):
        super().__init__("%(code)s: %(message)s" % error)
        self.code, self.message, self.resumable = error["code"], error["message"], error["resumable"]
        self.retry_after = error.get("retry_after")


class ChannelLost(Exception):
    """The channel has closed, and the server has said neither `done` nor `error`."""


class Connection:
    """A peer connection. `signal` takes the text of the offer and returns the answer's."""

    def __init__(self, signal):
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._signal = signal
        self._negotiated = False

    async def open_channel(self, **options):
        channel = Channel(self.pc, **options)
        if not self._negotiated:
            self._negotiated = True
            await self.pc.setLocalDescription(await self.pc.createOffer())
            answer = await self._signal(self.pc.localDescription.sdp)
            await self.pc.setRemoteDescription(RTCSessionDescription(sdp=answer, type="answer"))
        await channel.until(channel.is_open)
        return channel

    async def close(self):
        await self.pc.close()


class Channel:
    """One data channel, and what the server has said over it."""

    def __init__(self, pc, **options):
        self.ready = self.done = self.error = None
        self.acks = []
        self.echoes = []
        self.credit = self.sent = self.received = self.stored = 0
        self._news = asyncio.get_running_loop().create_future()
        self._channel = pc.createDataChannel(LABEL, **{"protocol": PROTOCOL, **options})
        self._channel.bufferedAmountLowThreshold = BUFFER_LIMIT // 2
        self._channel.on("message", self._on_message)
        for event in ("open", "close", "bufferedamountlow"):
            self._channel.on(event, self.wake)
        # aiortc leaves a channel open whose connection the other side has ended.
        self._transport = pc.sctp.transport
        self._transport.on("statechange", self.wake)

    def is_open(self):
        return self._channel.readyState == "open"

    def close(self):
        self._channel.close()

    def send(self, message):
        self._look_whether_it_has_ended()
        self._channel.send(message)

    def say(self, kind, **fields):
        self.send(json.dumps({"type": kind, **fields}))

    async def hello(self, **fields):
        self.say("hello", **fields)
        await self.until(lambda: self.ready)
        return self.ready

    async def send_block(self, offset, payload):
        await self.until(lambda: self.may_send(len(payload)))
        self.sent += len(payload)
        self.send(block(offset, payload))

    def may_send(self, size):
        return self.credit - self.sent >= size and self._channel.bufferedAmount <= BUFFER_LIMIT

    async def finish(self):
        """Until `done`. It, like `error`, is the server's last word."""
        await self.until(lambda: self.done)
        return self.done

    async def until(self, predicate):
        """Raises what ends the channel before that is so."""
        while not predicate():
            self._look_whether_it_has_ended()
            await asyncio.wait([self._news])

    def has_lost_connection(self):
        return self._transport.state in ("closed", "failed")

    async def until_closed(self):
        """By the server, or with the connection."""
        while self._channel.readyState != "closed" and not self.has_lost_connection():
            await asyncio.wait([self._news])

    def wake(self):
        """Everybody who waits looks again."""
        self._news.set_result(None)
        self._news = asyncio.get_running_loop().create_future()

    def _look_whether_it_has_ended(self):
        if self.error:
            raise UploadError(self.error)
        if self._channel.readyState in ("closing", "closed") or self.has_lost_connection():
            raise ChannelLost()

    def _on_message(self, message):
        if len(message) < 2:
            self.echoes.append(message)
        elif isinstance(message, str):
            self._on_control(json.loads(message))
        self.wake()

    def _on_control(self, message):
        kind = message["type"]
        if kind in ("ready", "ack"):
            self.credit = max(self.credit, message["credit"])
        if kind == "ready":
            self.ready = message
        elif kind == "ack":
            self.acks.append(message)
            self.stored, self.received = message["stored"], message["received"]
        elif kind == "done":
            self.done = message
        elif kind == "error":
            self.error = message


class Upload:
    """One file. `tell_size` and `tell_sha256` say whether the hello has them already, or the `end` only. `pace` is waited for
    before each block."""

    def __init__(self, data, name=None, content_type=None, tell_size=True, tell_sha256=True, pace=None):
        self.data = data
        self.sha256 = hashlib.sha256(data).hexdigest()
        self.id = None
        self.sent = 0
        self._file = {
            "size": len(data) if tell_size else None,
            "sha256": self.sha256 if tell_sha256 else None,
            "name": name,
            "content_type": content_type,
            "nonce": secrets.token_hex(16),
        }
        self._missing = []
        self._channels = set()
        self._pace = pace

    @property
    def stored(self):
        """Bytes that the server has, as far as it has told: this is the upload's progress."""
        return max((channel.stored for channel in self._channels), default=0)

    def hello(self):
        return {**self._file, "upload": self.id}

    async def over(self, channel):
        """Sends what is missing, also beside others that do the same, and returns the server's `done`."""
        under_way = []
        try:
            if not channel.ready:
                await self.join(channel)
            while not await self._all_sent(channel):
                begin, end = self._missing.pop(0)
                under_way.append((begin, end))
                if self._pace:
                    await self._pace()
                await channel.send_block(begin, self.data[begin:end])
                self.sent += end - begin
            if channel.done["size"] != len(self.data) or channel.done["sha256"] != self.sha256:
                raise ValueError("the server has another file: %s" % channel.done)
            return channel.done
        finally:
            self._channels.discard(channel)
            self._give_back(under_way, channel.received)
            channel.close()

    async def resume(self, connect):
        """The same over one connection after the other, which `connect` makes, as long as the server has the upload."""
        while True:
            connection = await connect()
            try:
                return await self.over(await connection.open_channel())
            except ChannelLost:
                pass
            except UploadError as error:
                if not error.resumable:
                    raise
                await asyncio.sleep(error.retry_after or 0)
            finally:
                await connection.close()

    async def join(self, channel):
        """`over` does it, too, where it has not been done."""
        ready = await channel.hello(**self.hello())
        self.id = ready["upload"]
        # Beside others the channel takes what these have left. The first one asks the server what there is to do.
        if not self._channels:
            self._missing = split(without([(0, len(self.data))], ready["have"]))
        self._channels.add(channel)

    async def _all_sent(self, channel):
        if not self._missing and None in (self._file["size"], self._file["sha256"]) and not channel.done:
            channel.say("end", size=len(self.data), sha256=self.sha256)
        # Another channel may be lost, and leave something for this one.
        await channel.until(lambda: channel.done or self._missing)
        return channel.done

    def _give_back(self, under_way, received):
        for begin, end in under_way:
            if received < end - begin:
                self._missing.append((begin, end))
            received = max(0, received - (end - begin))
        for channel in self._channels:
            channel.wake()


def split(ranges, size=BLOCK_SIZE):
    return [(at, min(at + size, end)) for begin, end in ranges for at in range(begin, end, size)]


def without(ranges, have):
    """What of the ranges is in none of those that the server has."""
    for has_begin, has_end in have:
        rest = []
        for begin, end in ranges:
            rest.append((begin, min(end, has_begin)))
            rest.append((max(begin, has_end), end))
        ranges = [(begin, end) for begin, end in rest if begin < end]
    return list(ranges)
