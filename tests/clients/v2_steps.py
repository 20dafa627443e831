# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What the tests of v2 write their clients' doings with.

import contextlib
import hashlib
import json
import random

from v2_client import Connection, UploadError

# Told by no server: so many random bits are not guessed.
FOREIGN_ID = "00112233445566778899aabbccddeeff"
# Among steps: the client waits for `ready`.
READY = object()


def some_bytes(size, seed=1):
    return random.Random(seed).randbytes(size)


def sha256(data):
    return hashlib.sha256(data).hexdigest()


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
