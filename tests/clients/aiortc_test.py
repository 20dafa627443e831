#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The server with clients on aiortc, whose offers and ends differ from a browser's, over a network between two namespaces.
# Needs root, or the right to make namespaces; is skipped otherwise.

import asyncio
import contextlib
import functools
import os
import subprocess
import tempfile
import urllib.parse

import programs
import tap
from programs import KEY

try:
    from upload_client import CHUNK_SIZE, Refused, UploadClient, call
except ImportError as missing:
    tap.skip_all("aiortc is not there: %s" % missing)

ANALYSE = "decodebin ! videoconvert ! zbar ! testboxdetector ! fakesink sync=false"
# Two seconds a frame: does not end while a test looks at it.
ANALYSE_SLOWLY = ANALYSE.replace("! fakesink", "! identity sleep-time=2000000 ! fakesink")
FRAMES = 100
# With its header a message has 65,536 bytes.
LARGEST_CHUNK = 65528
# Of a film's frame, in units of 1/90000 s.
TICKS = 3600


def draw_film(*options):
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "film.mp4")
        subprocess.run([os.environ["MAKE_NUMBERED_VIDEO"], path, *options], check=True)
        with open(path, "rb") as film:
            return film.read()


serving = functools.partial(programs.serving, ANALYSE)


@contextlib.asynccontextmanager
async def client_of(server, film, **options):
    client = UploadClient(server.url, film, **{"key": KEY, **options})
    try:
        await client.start()
        yield client
        assert client.problems == [], client.problems
    except Refused:
        raise
    except BaseException:
        print("# client: %s" % client)
        print("# server: %s %s" % (server.events[-3:], server.error_text().replace("\n", "\n# ")))
        raise
    finally:
        await client.close()


def numbers(result):
    predictions = result["serialized_output_data"]["predictions"]["predictions"]
    return [int(found["text"][1:12]) for found in predictions if found["class"] == "EAN-13"]


def number_at(result):
    """Which frame of the film has the result's time."""
    metadata = result["video_metadata"]
    return 1 + round(metadata["pts"] * metadata["time_base"] * 90000 / TICKS)


def check_result(frame, result, number, misread=0):
    """`misread` is how many other numbers zbar may have seen in what compression made of the bars."""
    found = numbers(result)
    assert number in found and len(found) <= 1 + misread, (number, result)
    boxes = [found for found in result["serialized_output_data"]["predictions"]["predictions"] if found["class"] == "box"]
    assert len(boxes) == 1 and abs(boxes[0]["y"] - (4 * (number % 50) + 20)) <= 4, (number, boxes)
    metadata = result["video_metadata"]
    assert metadata["frame_id"] == frame
    ticks = metadata["pts"] * metadata["time_base"] * 90000
    assert abs(ticks - (number - 1) * TICKS) <= 90, (number, metadata)
    assert not result["processing_complete"] and result["errors"] == []


def check_finished(client, frames):
    """A result for every frame in order, and the completion."""
    assert [frame for frame, _ in client.results] == list(range(1, frames + 2))
    for frame, result in client.results[:-1]:
        check_result(frame, result, frame)
    check_completion(client)


def check_completion(client):
    _, completion = client.results[-1]
    assert completion["processing_complete"] is True
    assert completion["termination_reason"] is None and completion["errors"] == [], completion


@tap.test("a result for every frame, acknowledged, then the completion, then the close")
async def _():
    film = draw_film(str(FRAMES))
    async with serving() as server, client_of(server, film) as client:
        await client.closed_by_server()
        check_finished(client, FRAMES)
        end = await server.end()
        assert (end["status"], end["frames"]) == ("done", FRAMES), end


@tap.test("an offer as SDP, a result for every frame, acknowledged, then the completion, then the close")
async def _():
    film = draw_film(str(FRAMES))
    async with serving() as server, client_of(server, film, endpoint="upload") as client:
        assert client.reply_headers["Location"], client.reply_headers
        await client.closed_by_server()
        check_finished(client, FRAMES)
        end = await server.end()
        assert (end["status"], end["frames"]) == ("done", FRAMES), end


# The server keeps the channel open for acknowledgements that come long after the last result was sent.
@tap.test("acknowledgements that come half a second late, through either endpoint")
async def _():
    film = draw_film(str(FRAMES))
    for endpoint in ("initialise_webrtc_worker", "upload"):
        async with serving() as server, client_of(server, film, endpoint=endpoint, pause=0.5) as client:
            await client.closed_by_server()
            check_finished(client, FRAMES)
            assert client.acknowledged == FRAMES + 1, client.acknowledged
            end = await server.end()
            assert (end["status"], end["frames"]) == ("done", FRAMES), end


# aiortc drops what still waits in the channel. The upload then fails for this reason; it never passes for a whole one.
@tap.test("clients that leave right after their last chunk, through either endpoint")
async def _():
    film = draw_film("250", "25", "4000")
    chunks = -(-len(film) // CHUNK_SIZE)
    for endpoint in ("initialise_webrtc_worker", "upload"):
        for leave in ("channel", "connection"):
            async with serving() as server, client_of(server, film, endpoint=endpoint) as client:
                await client.sent.wait()
                if leave == "channel":
                    client.upload_channel.close()
                    await client.closed_by_server()
                else:
                    await client.pc.close()
                end = await server.end()
                if end["chunks"] == chunks:
                    assert end["bytes"] == len(film), end
                else:
                    assert (end["status"], end["code"]) == ("failed", "peer-gone"), (leave, end)


@tap.test("the largest chunk that a message holds")
async def _():
    film = draw_film(str(FRAMES), "25", "800")
    assert len(film) > 2 * LARGEST_CHUNK, len(film)
    async with serving() as server, client_of(server, film, chunk_size=LARGEST_CHUNK) as client:
        await client.closed_by_server()
        assert [frame for frame, _ in client.results] == list(range(1, FRAMES + 2))
        for frame, result in client.results[:-1]:
            check_result(frame, result, frame, misread=1)
        check_completion(client)


# aiortc sends them: it does not look at what the other side takes. They arrive in pieces, and a piece is no file.
@tap.test("larger ones fail the upload with the reason")
async def _():
    film = draw_film(str(FRAMES), "25", "800")
    assert len(film) > 140000, len(film)
    # One more byte, which arrives whole; a first, a middle and an only chunk that arrive in pieces.
    for size in (LARGEST_CHUNK + 1, 100000, 140000, len(film)):
        async with serving() as server, client_of(server, film, chunk_size=size) as client:
            await client.closed_by_server()
            assert len(client.results) == 1, client.results
            _, completion = client.results[0]
            assert completion["termination_reason"] == "chunk-too-large", completion
            reason = completion["errors"][0]
            assert "65536" in reason and "RFC 8841" in reason, reason
            end = await server.end()
            assert (end["status"], end["code"], end["bytes"]) == ("failed", "chunk-too-large", 0), end


@tap.test("a film of many chunks in real time, nothing acknowledged, and a video that comes back")
async def _():
    film = draw_film("250", "25", "4000")
    options = {"realtime": True, "data_output": ["*"], "stream_output": "image"}
    async with serving() as server, client_of(server, film, **options) as client:
        await client.closed_by_server()
        results = client.results[:-1]
        assert results
        # The film's rate is held by compressing hard now and then.
        for frame, result in results:
            check_result(frame, result, number_at(result), misread=1)
        order = [number_at(result) for _, result in results]
        assert order == sorted(set(order)), order
        check_completion(client)


@tap.test("the video that comes back has the results' times")
async def _():
    film = draw_film("500")
    # So slowly that aiortc, in Python, loses no packets of a picture, and with every frame: which of them are too late in
    # real time depends on the machine. It takes 100 s, and is left when there is enough to see.
    async with programs.serving(ANALYSE.replace("! fakesink", "! identity sleep-time=200000 ! fakesink")) as server:
        async with client_of(server, film, stream_output="image") as client:
            await client.video_frames_came(10)
            pictures = list(client.video_frames)
            # A picture may be faster than its result. aiortc counts a picture's times from its first frame.
            await client.results_came(1 + round(pictures[-1][0] / TICKS))
            for frame, result in client.results:
                check_result(frame, result, frame)
            start = client.results[0][1]["video_metadata"]["pts"]
            by_pts = {result["video_metadata"]["pts"] - start: frame for frame, result in client.results}
            for pts, top in pictures:
                near = [frame for ticks, frame in by_pts.items() if abs(ticks - pts) <= 90]
                assert len(near) == 1, (pts, near)
                assert top is not None and abs(top - 4 * (near[0] % 50)) <= 6, (near, top)


@tap.test("keys")
async def _():
    film = draw_film("10")
    async with serving() as server:
        for key in (None, "", "another-key", KEY + "x"):
            try:
                async with client_of(server, film, key=key):
                    raise AssertionError("taken with the key %r" % key)
            except Refused as refused:
                assert refused.status == 401, refused
                assert refused.body["message"] and refused.body["error_type"], refused
        async with client_of(server, film) as client:
            await client.closed_by_server()
            check_finished(client, 10)


@tap.test("a client that closes its connection ends its session")
async def _():
    film = draw_film(str(FRAMES))
    async with programs.serving(ANALYSE_SLOWLY) as server:
        async with client_of(server, film) as client:
            await client.results_came(1)
        end = await server.end()
        assert (end["status"], end["code"]) == ("failed", "peer-gone"), end


@tap.test("a session is deleted by whoever has its address and the key")
async def _():
    film = draw_film(str(FRAMES))
    async with programs.serving(ANALYSE_SLOWLY) as server, client_of(server, film) as client:
        await client.results_came(1)
        address = urllib.parse.urljoin(server.url, client.reply_headers["Location"])
        delete = functools.partial(asyncio.get_running_loop().run_in_executor, None, call)
        status, body, _ = await delete(address, "DELETE", "another-key")
        assert status == 401 and body["message"], (status, body)
        status, _, _ = await delete(address, "DELETE", KEY)
        assert 200 <= status < 300, status
        await client.closed_by_server()
        _, completion = client.results[-1]
        assert completion["processing_complete"] is True and completion["errors"], completion
        end = await server.end()
        assert (end["status"], end["code"]) == ("failed", "cancelled"), end
        # Its end was told a moment before it is forgotten.
        while status != 404:
            status, body, _ = await delete(address, "DELETE", KEY)
        assert body["message"], body


programs.run_tests()
