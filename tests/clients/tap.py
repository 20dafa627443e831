# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Asynchronous tests one after the other, told in TAP, which Meson reads.

import asyncio
import sys
import time
import traceback

_tests = []


def test(name):
    def add(function):
        _tests.append((name, function))
        return function

    return add


def skip_all(reason):
    print("1..0 # SKIP " + reason)
    sys.exit(0)


def run(deadline):
    """Runs those with the first argument in their name, or all; each within `deadline` seconds. The exit status."""
    only = sys.argv[1] if len(sys.argv) > 1 else ""
    chosen = [(name, function) for name, function in _tests if only in name]
    failures = 0
    print("1..%d" % len(chosen), flush=True)
    for number, (name, function) in enumerate(chosen, 1):
        start = time.monotonic()
        try:
            asyncio.run(asyncio.wait_for(function(), deadline))
            print("ok %d - %s (%d ms)" % (number, name, 1000 * (time.monotonic() - start)), flush=True)
        except Exception:
            failures += 1
            print("not ok %d - %s" % (number, name))
            for line in traceback.format_exc().splitlines():
                print("# " + line)
            sys.stdout.flush()
    return 0 if chosen and not failures else 1
