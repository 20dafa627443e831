# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What clients talk to, at the other end of the cable of network.py: `webrtc-upload serve`, or the element by itself.

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
import tempfile
import threading
import time
import uuid
from pathlib import Path

import network
import tap

KEY = "a-key-of-tests"
DEADLINE = 60
SANITIZER_REPORT = re.compile("ERROR: AddressSanitizer|LeakSanitizer|runtime error: |ThreadSanitizer: ")


class Program:
    """A program that says what happens, one line of JSON for each event. Its lines are read on a thread."""

    def __init__(self, command, environment=()):
        self.mark = str(uuid.uuid4())
        self.errors = tempfile.TemporaryFile()
        self.events = []
        self.changed = threading.Condition()
        self.process = network.start_server(
            command, stderr=self.errors, env=dict(os.environ, WEBRTC_UPLOAD_TEST=self.mark, **dict(environment)))
        self.reader = threading.Thread(target=self.read)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            with self.changed:
                self.events.append(json.loads(line))
                self.changed.notify_all()
        with self.changed:
            self.events.append({"event": "exit"})
            self.changed.notify_all()

    def find(self, predicate):
        return next((event for event in self.events if predicate(event)), None) or (
            self.events and self.events[-1]["event"] == "exit" and self.events[-1])

    def wait(self, predicate):
        with self.changed:
            return self.check(self.changed.wait_for(lambda: self.find(predicate), DEADLINE))

    async def said(self, predicate):
        """The same without a thread that waits: many may wait at once."""
        end = time.monotonic() + DEADLINE
        while not self.find(predicate) and time.monotonic() < end:
            await asyncio.sleep(0.01)
        return self.check(self.find(predicate))

    def check(self, event):
        assert event and event["event"] != "exit", "not said by the program: %s %s" % (
            self.events[-3:], self.error_text())
        return event

    async def end(self):
        """How its only session ended."""
        return await self.said(lambda event: event["event"] == "end")

    def error_text(self):
        self.errors.seek(0)
        return self.errors.read().decode(errors="replace")

    def processes(self):
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open("/proc/%s/environ" % pid, "rb") as environment:
                    if self.mark.encode() in environment.read():
                        found.append(int(pid))
            except OSError:
                pass  # Not ours, or just gone.
        return found

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(DEADLINE)
        assert status == 0, "%d: %s" % (status, self.error_text())
        # Of a session, whose end by a sanitizer may look like any other.
        assert not SANITIZER_REPORT.search(self.error_text()), self.error_text()
        assert self.processes() == []

    def clean(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.reader.join()
        self.process.stdin.close()
        self.process.stdout.close()
        self.errors.close()
        network.disconnect(self.process)


class Server(Program):
    """`webrtc-upload serve`."""

    def __init__(self, pipeline, options):
        self.spool = tempfile.TemporaryDirectory()
        super().__init__(
            [os.environ["WEBRTC_UPLOAD"], "serve", "--port", "0", "--address", network.SERVER_ADDRESS,
             "--spool-directory", self.spool.name, "--pipeline", pipeline] + options)
        try:
            self.url = self.wait(lambda event: event["event"] == "listening")["url"]
        except AssertionError:
            self.clean()
            raise

    async def idle(self):
        """Waits until no session is left of it."""
        end = time.monotonic() + DEADLINE
        while self.processes() != [self.process.pid]:
            assert self.process.poll() is None, "the server has ended: %d %s" % (self.process.poll(), self.error_text())
            assert time.monotonic() < end, "processes of sessions are left"
            await asyncio.sleep(0.02)
        assert os.listdir(self.spool.name) == []

    def stop(self):
        super().stop()
        assert os.listdir(self.spool.name) == []

    def clean(self):
        super().clean()
        self.spool.cleanup()


@contextlib.asynccontextmanager
async def serving(pipeline, options=("--api-key", KEY)):
    """A server; nothing of a session may be left of it in the end."""
    server = Server(pipeline, list(options))
    try:
        yield server
        await server.idle()
        server.stop()
    finally:
        server.clean()


class Receiver(Program):
    """`webrtcupload` with those properties, and as many peers as connect."""

    def __init__(self, *options):
        # The leaks tracer looks when GStreamer is shut down, which Python does not do.
        super().__init__([sys.executable, str(Path(__file__).with_name("v2_receiver.py")), network.SERVER_ADDRESS, *options],
                         {"GST_TRACERS": ""})
        self.one_by_one = asyncio.Lock()

    async def answer(self, offer):
        async with self.one_by_one:
            known = [event for event in self.events if event["event"] == "answer"]
            self.request(offer=offer)
            answer = await self.said(lambda event: event["event"] == "answer" and event not in known)
            return answer["sdp"]

    def request(self, **fields):
        self.process.stdin.write(json.dumps(fields).encode() + b"\n")
        self.process.stdin.flush()


@contextlib.asynccontextmanager
async def receiving(*options):
    receiver = Receiver(*options)
    try:
        yield receiver
        receiver.stop()
    finally:
        receiver.clean()


def run_tests():
    """All that this program has, in a network where a server can be at the other end of a cable."""
    problem = network.enter()
    if problem:
        tap.skip_all(problem)
    sys.exit(tap.run(4 * DEADLINE))
