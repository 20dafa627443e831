#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The element `webrtcupload` with the client of v2_client.py, which was written from docs/protocol.md: over several channels and
# connections, and what depends on the element's properties. Needs what aiortc_test.py needs, and python3-gi.

import asyncio
import contextlib
import time

import tap
from programs import receiving, run_tests

try:
    from v2_client import ChannelLost, Connection, Upload, block
    from v2_steps import (FOREIGN_ID, READY, HaltingUpload, carry_out, check_fault, connection_to, end, failure_of, hello,
                          lose_twice, over_three_connections, sha256, some_bytes)
except ImportError as missing:
    tap.skip_all("aiortc or GStreamer's Python is not there: %s" % missing)

SECOND = 1000000000
LARGEST_PAYLOAD = 65520


async def check_complete(receiver, data):
    ended = await receiver.end()
    assert (ended["code"], ended["sha256"]) == (None, sha256(data)), ended


@contextlib.asynccontextmanager
async def under_way(*options):
    """A receiver, a connection, a channel, and an upload of six bytes that has begun over it."""
    async with receiving(*options) as receiver, connection_to(receiver.answer) as connection:
        channel = await connection.open_channel()
        await channel.hello(size=6, nonce="0" * 31 + "1")
        yield receiver, connection, channel


async def complete(channel):
    await channel.send_block(0, b"abcdef")
    channel.say("end", size=6)
    assert (await channel.finish())["sha256"] == sha256(b"abcdef")


@tap.test("faults of channels that have not joined cost only these")
async def _():
    faults = [
        ("no JSON", "malformed-message", ["hello!"]),
        ("no object", "malformed-message", ["[1]"]),
        ("no type", "malformed-message", ["{}"]),
        ("JSON that is cut off", "malformed-message", ['{"type":"hello"']),
        ("a line break in the name", "malformed-message", [hello(name="a\nb")]),
        ("a NUL in the name", "malformed-message", [hello(name="a\0b")]),
        ("a DEL in the name", "malformed-message", [hello(name="a\x7fb")]),
        ("a control character of C1 in the name", "malformed-message", [hello(name="a\x85b")]),
        ("a control character in the MIME type", "malformed-message", [hello(content_type="video/mp4\r")]),
        ("256 bytes of name", "malformed-message", [hello(name="\u00e4" * 128)]),
        ("a number for a name", "malformed-message", [hello(name=5)]),
        ("a negative size", "malformed-message", [hello(size=-1)]),
        ("half a byte", "malformed-message", [hello(size=0.5)]),
        ("a size that JavaScript does not hold", "malformed-message", [hello(size=2**53)]),
        ("a text for a size", "malformed-message", [hello(size="6")]),
        ("63 digits of hash", "malformed-message", [hello(size=6, sha256="0" * 63)]),
        ("no hexadecimal hash", "malformed-message", [hello(size=6, sha256="g" * 64)]),
        ("31 digits of id", "malformed-message", [hello(upload="0" * 31)]),
        ("no hexadecimal nonce", "malformed-message", [hello(nonce="x" * 32)]),
        ("a block before the hello", "unexpected-message", [block(0, b"a")]),
        ("an end before the hello", "unexpected-message", [end(size=6)]),
        ("a cancel before the hello", "unexpected-message", [{"type": "cancel"}]),
        ("no id", "unknown-upload", [hello(size=6)]),
        ("another nonce", "unknown-upload", [hello(size=6, nonce="0" * 31 + "2")]),
        ("an id of nobody", "unknown-upload", [hello(upload=FOREIGN_ID)]),
        ("too much before the hello", "credit-exceeded", [hello(filler="f" * 16384)]),
    ]
    async with under_way() as (receiver, connection, channel):
        for name, code, steps in faults:
            stranger = await connection.open_channel()
            error = await failure_of(carry_out(stranger, steps))
            # Nothing more will come of it; the upload is another's.
            check_fault(name, error, code)
            stranger.close()
        await complete(channel)
        await check_complete(receiver, b"abcdef")


@tap.test("what is not known is ignored: types, fields, and those that are missing")
async def _():
    async with under_way() as (receiver, connection, channel):
        channel.say("progress", percent=50)
        second = await connection.open_channel()
        await second.hello(upload=channel.ready["upload"], mood="good")
        second.say("end", size=6, hurry=True)
        await channel.send_block(0, b"abcdef")
        await asyncio.gather(channel.finish(), second.finish())
        await check_complete(receiver, b"abcdef")


@tap.test("a wrong checksum costs its channel only, and what is stored stays")
async def _():
    async with under_way() as (receiver, connection, channel):
        channel.send(block(0, b"abc"))
        check_fault("", await failure_of(carry_out(channel, [block(3, b"def", 7)])), "corrupt-chunk", resumable=True)
        channel.close()
        second = await connection.open_channel()
        ready = await second.hello(upload=channel.ready["upload"])
        assert ready["have"] == [[0, 3]], ready
        await complete(second)
        await check_complete(receiver, b"abcdef")


@tap.test("a connection that is lost, twice, and the upload goes on over another")
async def _():
    upload = HaltingUpload(some_bytes(1500000), 400000, 900000)
    async with receiving() as receiver:

        async def connect():
            return Connection(receiver.answer)

        await lose_twice(upload, connect)
        await check_complete(receiver, upload.data)


# The halt comes before the blocks that wait for credit: each channel has a third of the window.
@tap.test("three connections for one upload, one of which is lost on the way")
async def _():
    upload = HaltingUpload(some_bytes(1500000), 900000, tell_size=False, tell_sha256=False)
    async with receiving("window=3000000") as receiver:
        async with over_three_connections(upload, receiver.answer) as (connections, _, transfers):
            await connections[1].close()
            upload.go_on()
            lost = (await asyncio.gather(transfers[1], return_exceptions=True))[0]
            assert isinstance(lost, ChannelLost), lost
            for done in await asyncio.gather(transfers[0], transfers[2]):
                assert done["sha256"] == upload.sha256, done
            await check_complete(receiver, upload.data)


# Of what was under way nobody knows; a client that has lost its connection with much of it sends it again.
@tap.test("a connection that is lost amid what is under way")
async def _():
    upload = Upload(some_bytes(1500000))
    window = 131072
    async with receiving("window=%d" % window) as receiver:
        async with connection_to(receiver.answer) as connection:
            channel = await connection.open_channel()
            transfer = asyncio.ensure_future(upload.over(channel))
            # With this window no more than that can have been sent then.
            await channel.until(lambda: channel.received)
            assert channel.sent <= channel.credit < len(upload.data), (channel.sent, channel.credit)
            await connection.close()
            lost = (await asyncio.gather(transfer, return_exceptions=True))[0]
            assert isinstance(lost, ChannelLost), lost

        async def connect():
            return Connection(receiver.answer)

        await upload.resume(connect)
        assert upload.sent <= len(upload.data) + window, upload.sent
        await check_complete(receiver, upload.data)


@tap.test("who has lost the connection before ready came is let in by the nonce")
async def _():
    async with under_way() as (receiver, _, first), connection_to(receiver.answer) as another:
        second = await another.open_channel()
        ready = await second.hello(size=6, nonce="0" * 31 + "1")
        assert ready["upload"] == first.ready["upload"], (ready, first.ready)
        await complete(second)
        await first.finish()
        await check_complete(receiver, b"abcdef")


@tap.test("who joins after the end is told how it was")
async def _():
    async with under_way() as (receiver, connection, channel):
        await complete(channel)
        late = await connection.open_channel()
        ready = await late.hello(upload=channel.ready["upload"])
        assert ready["have"] == [[0, 6]], ready
        assert (await late.finish())["sha256"] == sha256(b"abcdef")
    async with under_way() as (receiver, connection, channel):
        check_fault("", await failure_of(carry_out(channel, [block(5, b"fg")])), "size-mismatch")
        late = await connection.open_channel()
        check_fault("late", await failure_of(late.hello(upload=channel.ready["upload"])), "size-mismatch")
        assert (await receiver.end())["code"] == "size-mismatch"


@tap.test("whoever comes back too late is told peer-gone")
async def _():
    async with under_way("resume-timeout=%d" % (SECOND // 2)) as (receiver, connection, channel):
        assert channel.ready["resume_timeout"] <= 1, channel.ready
        channel.close()
        assert (await receiver.end())["code"] == "peer-gone"
        late = await connection.open_channel()
        check_fault("", await failure_of(late.hello(upload=channel.ready["upload"])), "peer-gone")


@tap.test("a cancel, the client's or the application's, is told on every channel")
async def _():
    for whose in ("client", "application"):
        async with under_way() as (receiver, connection, channel):
            second = await connection.open_channel()
            await second.hello(upload=channel.ready["upload"])
            if whose == "client":
                second.say("cancel", reason="the person pressed a button")
            else:
                receiver.request(cancel=True)
            for each in (channel, second):
                check_fault(whose, await failure_of(each.finish()), "cancelled")
            assert (await receiver.end())["code"] == "cancelled"


@tap.test("one channel too many: the one that was quiet longest has to go")
async def _():
    async with under_way("max-connections=2") as (receiver, connection, channel):
        assert channel.ready["max_connections"] == 2, channel.ready
        others = []
        for _ in range(2):
            others.append(await connection.open_channel())
            await others[-1].hello(upload=channel.ready["upload"])
        check_fault("", await failure_of(channel.finish()), "too-many-channels", resumable=True)
        await complete(others[0])
        await others[1].finish()
        await check_complete(receiver, b"abcdef")


# The application thinks until so much waits: more than twice the window.
@tap.test("blocks before ready, and more of them than any credit")
async def _():
    options = ["authorize=%d" % (3 * LARGEST_PAYLOAD), "window=%d" % LARGEST_PAYLOAD]
    async with receiving(*options) as receiver, connection_to(receiver.answer) as connection:
        channel = await connection.open_channel()
        steps = [hello(), *[block(0, bytes(LARGEST_PAYLOAD))] * 5]
        check_fault("", await failure_of(carry_out(channel, steps)), "credit-exceeded")
        assert (await receiver.end())["code"] == "credit-exceeded"


@tap.test("what the application and its properties refuse")
async def _():
    open_end = [hello(), READY]
    refusals = [
        ("unauthorized", ["authorize=no"], [hello(size=6)]),
        ("quota-exceeded", ["check-quota=no"], open_end + [block(0, b"a")]),
        ("chunk-too-large", ["max-chunk-size=1000"], open_end + [block(0, bytes(1001))]),
        ("idle-timeout", ["idle-timeout=%d" % SECOND], open_end),
        ("idle-timeout", ["idle-timeout=%d" % SECOND], [b"k", hello(), READY]),
        ("upload-timeout", ["upload-timeout=%d" % SECOND], open_end),
        ("storage-failed", ["max-size=%d" % 2**52], [hello(size=2**52), READY, block(0, b"a")]),
    ]
    for code, options, steps in refusals:
        async with receiving(*options) as receiver, connection_to(receiver.answer) as connection:
            channel = await connection.open_channel()
            check_fault(options, await failure_of(carry_out(channel, steps)), code)
            assert (await receiver.end())["code"] == code, code


@tap.test("too many gaps")
async def _():
    async with receiving() as receiver, connection_to(receiver.answer) as connection:
        channel = await connection.open_channel()
        await channel.hello()
        for number in range(4097):
            await channel.send_block(2 * number, b"a")
            if number % 512 == 511:
                await channel.until(lambda: channel.received == channel.sent)
        # The last of them made 4,096 gaps. One more is too much.
        await channel.until(lambda: channel.received == channel.sent)
        check_fault("", await failure_of(carry_out(channel, [block(2 * 4097, b"a")])), "too-fragmented")
        assert (await receiver.end())["code"] == "too-fragmented"


@tap.test("who does not close a channel after the error has two seconds for it")
async def _():
    async with under_way() as (_, _, channel):
        error = asyncio.ensure_future(failure_of(channel.finish()))
        asked = time.monotonic()
        channel.send(b"12345")
        check_fault("", await error, "malformed-message")
        await channel.until_closed()
        assert 2 <= time.monotonic() - asked < 20, time.monotonic() - asked


run_tests()
