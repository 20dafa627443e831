# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What the tests of v2 write their clients' doings with.

import asyncio
import contextlib
import hashlib
import json
import random

from v2_client import Connection, Upload, UploadError

# Told by no server: so many random bits are not guessed.
FOREIGN_ID = "00112233445566778899aabbccddeeff"
# Among steps: the client waits for `ready`.
READY = object()


def some_bytes(size, seed=1):
    return random.Random(seed).randbytes(size)


def sha256(data):
    return hashlib.sha256(data).hexdigest()


class HaltingUpload(Upload):
    """Stops when it has sent so many bytes, until it is told to go on."""

    def __init__(self, data, *halts, **options):
        super().__init__(data, pace=self._wait, **options)
        self._halts = [(halt, asyncio.Event()) for halt in halts]

    async def halted(self):
        """All that it has sent is stored, and more comes when it is told to go on."""
        while self.stored < self._halts[0][0] or self.stored < self.sent:
            await asyncio.sleep(0.01)

    def go_on(self):
        self._halts.pop(0)[1].set()

    async def _wait(self):
        while self._halts and self.sent >= self._halts[0][0]:
            await self._halts[0][1].wait()


def hello(**fields):
    return {"type": "hello", **fields}


def end(**fields):
    return {"type": "end", **fields}


@contextlib.asynccontextmanager
async def connection_to(signal):
    connection = Connection(signal)
    try:
        yield connection
    finally:
        await connection.close()


async def lose_twice(upload, connect):
    """The halting upload to its end, whose connection is lost at each of its two halts."""
    connections = []

    async def connect_again():
        connections.append(await connect())
        return connections[-1]

    over_all = asyncio.ensure_future(upload.resume(connect_again))
    for _ in range(2):
        await upload.halted()
        await connections[-1].close()
        upload.go_on()
    done = await over_all
    assert done["sha256"] == upload.sha256 and len(connections) == 3, (done, connections)
    # All that had been sent was stored: nothing is sent again.
    assert upload.sent == len(upload.data), upload.sent


@contextlib.asynccontextmanager
async def over_three_connections(upload, signal):
    """Channels over a connection each, and what sends the halting upload over it; all of them have sent something."""
    async with contextlib.AsyncExitStack() as stack:
        connections = [await stack.enter_async_context(connection_to(signal)) for _ in range(3)]
        channels = []
        for connection in connections:
            channels.append(await connection.open_channel())
            await upload.join(channels[-1])
        transfers = [asyncio.ensure_future(upload.over(channel)) for channel in channels]
        await upload.halted()
        assert all(channel.sent for channel in channels), [channel.sent for channel in channels]
        yield connections, channels, transfers


async def carry_out(channel, steps):
    """Messages, control messages as their fields, and READY; then the server's last word."""
    for step in steps:
        if step is READY:
            await channel.until(lambda: channel.ready)
        else:
            channel.send(json.dumps(step) if isinstance(step, dict) else step)
    return await channel.finish()


async def failure_of(awaitable):
    """The server's error, which has to come."""
    try:
        result = await awaitable
    except UploadError as error:
        assert error.message, error.code
        return error
    raise AssertionError("no error, but %r" % (result,))


def check_fault(name, error, code, resumable=False):
    assert (error.code, error.resumable) == (code, resumable), (name, error.code, error.resumable, error.message)
