#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The server with the client of v2_client.py, which was written from docs/protocol.md. Needs what aiortc_test.py needs.

import asyncio
import random
import time
import urllib.parse

import tap
from programs import KEY, run_tests, serving

try:
    from upload_client import SDP, Refused, call
    from v2_client import Connection, Upload, block, split
    from v2_steps import (FOREIGN_ID, READY, HaltingUpload, carry_out, check_fault, connection_to, end, failure_of, hello,
                          lose_twice, over_three_connections, sha256, some_bytes)
except ImportError as missing:
    tap.skip_all("aiortc is not there: %s" % missing)

LARGEST_PAYLOAD = 65520
MAX_SIZE = 524288000
OPTIONS = ("--api-key", KEY)
# Without processes that start and end: for many sessions. Those that have ended keep their places for a moment.
MANY = (*OPTIONS, "--max-sessions", "32", "--isolation", "none")
# Nobody comes back.
FINAL = ("--resume-timeout", "0")


async def request(*arguments):
    return await asyncio.get_running_loop().run_in_executor(None, call, *arguments)


class Session:
    """One session of the server: the first offer makes it, and further ones are for further connections."""

    def __init__(self, server):
        self.server = server
        self.location = None

    async def signal(self, offer):
        url = self.location + "/connections" if self.location else self.server.url + "/upload"
        status, answer, headers = await request(url, "POST", KEY, offer, SDP)
        if status != 201:
            raise Refused(status, answer)
        self.location = self.location or urllib.parse.urljoin(url, headers["Location"])
        return answer

    async def connect(self):
        return Connection(self.signal)

    async def end(self):
        return await self.server.said(
            lambda event: event["event"] == "end" and event["session"] == self.location.rsplit("/", 1)[-1])


async def in_a_session(server, act, places):
    """What `act` returns of a channel of a session of its own, and how that one ended."""
    session = Session(server)
    async with places:
        async with connection_to(session.signal) as connection:
            channel = await connection.open_channel()
            result = await act(channel)
            channel.close()
    return result, await session.end()


async def each_in_a_session(server, acts):
    places = asyncio.Semaphore(4)
    return await asyncio.gather(*(in_a_session(server, act, places) for act in acts))


@tap.test("a file whose size and hash are known")
async def _():
    data = some_bytes(1000003)
    upload = Upload(data, name="a film \U0001F3AC/../\\.mp4", content_type="video/mp4")
    channels = []

    async def act(channel):
        channels.append(channel)
        return await upload.over(channel)

    async with serving("fakesink", OPTIONS) as server:
        [(done, ended)] = await each_in_a_session(server, [act])
    assert (done["size"], done["sha256"]) == (len(data), sha256(data)), done
    assert (ended["status"], ended["bytes"]) == ("done", len(data)), ended
    ready, acks = channels[0].ready, channels[0].acks
    assert ready["have"] == [] and len(bytes.fromhex(ready["upload"])) == 16, ready
    assert (ready["max_payload"], ready["max_size"]) == (LARGEST_PAYLOAD, MAX_SIZE), ready
    for field in ("stored", "received", "credit"):
        told = [ack[field] for ack in acks]
        assert told == sorted(told), (field, told)
    assert acks[-1]["stored"] == acks[-1]["received"] == len(data), acks[-1]
    assert acks[-1]["credit"] == ready["credit"] + len(data), (ready, acks[-1])


@tap.test("what the hello leaves open comes with the end, also of an empty file")
async def _():
    uploads = [Upload(some_bytes(size), tell_size=tell_size, tell_sha256=tell_sha256)
               for size, tell_size, tell_sha256 in
               [(100000, False, False), (100000, True, False), (100000, False, True), (1, False, False),
                (0, True, True), (0, False, False)]]
    async with serving("fakesink", MANY) as server:
        for upload, (done, ended) in zip(uploads, await each_in_a_session(server, [each.over for each in uploads])):
            assert (done["size"], done["sha256"]) == (len(upload.data), sha256(upload.data)), done
            assert (ended["status"], ended["bytes"]) == ("done", len(upload.data)), ended


@tap.test("blocks in any order and of any sizes, some again, some that overlap; an early end; keepalives")
async def _():
    data = some_bytes(400000, 2)

    async def act(channel, seed):
        chance = random.Random(seed)
        cuts = sorted({0, len(data), LARGEST_PAYLOAD, *chance.sample(range(len(data)), 40)})
        pieces = [(begin, end) for begin, end in zip(cuts, cuts[1:]) if end - begin <= LARGEST_PAYLOAD]
        pieces += split([(begin, end) for begin, end in zip(cuts, cuts[1:]) if end - begin > LARGEST_PAYLOAD])
        for _ in range(10):
            begin = chance.randrange(len(data))
            pieces.append((begin, min(len(data), begin + chance.randint(1, 20000))))
        chance.shuffle(pieces)
        channel.send(b"k")
        await channel.hello(size=len(data))
        channel.send("t")
        await channel.until(lambda: len(channel.echoes) == 2)
        assert channel.echoes == [b"k", "t"], channel.echoes
        channel.say("end", size=len(data), sha256=sha256(data).upper())
        for begin, stop in pieces:
            await channel.send_block(begin, data[begin:stop])
        return await channel.finish()

    async with serving("fakesink", MANY) as server:
        acts = [lambda channel, seed=seed: act(channel, seed) for seed in range(3)]
        for done, ended in await each_in_a_session(server, acts):
            assert (done["size"], done["sha256"]) == (len(data), sha256(data)), done
            assert (ended["status"], ended["bytes"]) == ("done", len(data)), ended


# Without an upload that is under way a fault of the only channel ends the session, which says the same code.
@tap.test("faults of a client, each with its code")
async def _():
    begun = [hello(size=6), READY]
    open_end = [hello(), READY]
    whole = block(0, b"abcdef")
    faults = [
        ("a wrong checksum", "corrupt-chunk", begun + [block(0, b"abc", 1)]),
        ("another hash than the hello's", "hash-mismatch", [hello(size=6, sha256=sha256(b"abcdeg")), READY, whole]),
        ("another hash than the end's", "hash-mismatch", begun + [whole, end(size=6, sha256=sha256(b"abcdeg"))]),
        ("two hashes", "hash-mismatch",
         [hello(size=6, sha256=sha256(b"abcdef")), READY, end(size=6, sha256=sha256(b"abcdeg"))]),
        ("other bytes", "conflicting-chunk", begun + [block(0, b"abcd"), block(2, b"xx")]),
        ("bytes beyond the size", "size-mismatch", begun + [block(4, b"efg")]),
        ("two sizes", "size-mismatch", begun + [end(size=7)]),
        ("a size below what has come", "size-mismatch", open_end + [whole, end(size=5)]),
        ("two ends", "size-mismatch", open_end + [end(size=6), end(size=5)]),
        ("a size above the limit", "too-large", [hello(size=MAX_SIZE + 1)]),
        ("an end's size above the limit", "too-large", open_end + [end(size=MAX_SIZE + 1)]),
        ("bytes above the limit", "too-large", open_end + [block(MAX_SIZE - 1, b"ab")]),
        ("bytes behind the last that there are", "too-large", open_end + [block(2**64 - 1, b"ab")]),
        ("a block before the hello", "unexpected-message", [whole]),
        ("an end before the hello", "unexpected-message", [end(size=6)]),
        ("two hellos", "unexpected-message", begun + [hello(size=6)]),
        ("an id of nobody", "unknown-upload", [hello(upload=FOREIGN_ID)]),
        ("a message that is too large", "chunk-too-large", open_end + [block(0, bytes(LARGEST_PAYLOAD + 1))]),
        ("a header without payload", "malformed-message", begun + [whole[:16]]),
        ("a header that is cut off", "malformed-message", begun + [whole[:15]]),
        ("an unknown type of block", "malformed-message", begun + [b"\2" + whole[1:]]),
        ("a flag", "malformed-message", begun + [b"\1\1" + whole[2:]]),
        ("a reserved bit", "malformed-message", begun + [b"\1\0\0\1" + whole[4:]]),
        ("too long a reason", "malformed-message", begun + [{"type": "cancel", "reason": "r" * 1025}]),
        ("too long a control message", "malformed-message", begun + [end(size=6, filler="f" * 16384)]),
        ("a cancel", "cancelled", begun + [{"type": "cancel", "reason": "for a reason"}]),
        ("a cancel before the hello", "cancelled", [{"type": "cancel"}]),
    ]
    acts = [lambda channel, steps=steps: failure_of(carry_out(channel, steps)) for _, _, steps in faults]
    async with serving("fakesink", MANY + FINAL) as server:
        ends = await each_in_a_session(server, acts)
    for (name, code, _), (error, ended) in zip(faults, ends):
        check_fault(name, error, code)
        assert (ended["status"], ended["code"]) == ("failed", code), (name, ended)


@tap.test("an upload over two channels of one connection")
async def _():
    upload = Upload(some_bytes(800000))
    async with serving("fakesink", OPTIONS) as server:
        session = Session(server)
        async with connection_to(session.signal) as connection:
            channels = [await connection.open_channel() for _ in range(2)]
            for channel in channels:
                await upload.join(channel)
            for done in await asyncio.gather(*map(upload.over, channels)):
                assert done["sha256"] == upload.sha256, done
            sent = [channel.sent for channel in channels]
            assert sum(sent) == len(upload.data) and all(sent), sent
        assert (await session.end())["bytes"] == len(upload.data)


@tap.test("what the server says of itself is what it says to an upload")
async def _():
    options = (*OPTIONS, "--resume-timeout", "7", "--max-connections", "3", "--max-size", "5000000")
    async with serving("fakesink", options) as server:
        _, limits, _ = await request(server.url + "/limits", "GET", KEY)
        assert limits["protocols"] == ["v1", "v2"], limits

        async def act(channel):
            ready = await channel.hello(size=0)
            assert (ready["resume_timeout"], ready["max_connections"], ready["max_size"]) == (7, 3, 5000000), ready
            assert (limits["resume_timeout"], limits["max_connections"]) == (7, 3), limits
            channel.say("end", size=0)
            return await channel.finish()

        await each_in_a_session(server, [act])


@tap.test("a connection that is lost, twice, and the upload goes on over further ones of the session")
async def _():
    upload = HaltingUpload(some_bytes(1500000), 400000, 900000)
    async with serving("fakesink", OPTIONS) as server:
        session = Session(server)
        await lose_twice(upload, session.connect)
        ended = await session.end()
        assert (ended["status"], ended["bytes"]) == ("done", len(upload.data)), ended


@tap.test("an upload over three connections of a session, one of which has a wrong checksum on the way")
async def _():
    upload = HaltingUpload(some_bytes(1500000), 900000, tell_size=False, tell_sha256=False)
    async with serving("fakesink", OPTIONS) as server:
        session = Session(server)
        async with over_three_connections(upload, session.signal) as (_, channels, transfers):
            channels[2].send(block(0, upload.data[:1], 0))
            check_fault("", await failure_of(channels[2].finish()), "corrupt-chunk", resumable=True)
            upload.go_on()
            check_fault("", await failure_of(transfers[2]), "corrupt-chunk", resumable=True)
            for done in await asyncio.gather(*transfers[:2]):
                assert done["sha256"] == upload.sha256, done
        ended = await session.end()
        assert (ended["status"], ended["bytes"]) == ("done", len(upload.data)), ended


@tap.test("who does not close a channel after the error has two seconds until the connection ends")
async def _():
    async with serving("fakesink", OPTIONS + FINAL) as server, connection_to(Session(server).signal) as connection:
        channel = await connection.open_channel()
        asked = time.monotonic()
        check_fault("", await failure_of(carry_out(channel, [b"12345"])), "malformed-message")
        await channel.until_closed()
        assert 2 <= time.monotonic() - asked < 20, time.monotonic() - asked


run_tests()
