#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs a program that is built with the thread sanitizer, with libraries that are, and judges what the sanitizer reports.

    tsan_run.py LIBRARIES KNOWN PROGRAM [ARGUMENT...]

LIBRARIES is the folder that tsan_libraries.sh has filled, KNOWN the list of what other people's libraries do (tsan_known). A report
that is not in it is printed, and the status is 66 unless the program itself has failed.

The sanitizer's own suppressions look at one side of a race, or at any frame of it, and so may hide one of ours behind a function of
theirs. Here a race is known only when the innermost functions of both sides are named, and an order of mutexes only when all of
them were taken by the functions that are named.
"""

import os
import re
import subprocess
import sys
import tempfile
from fnmatch import fnmatchcase
from pathlib import Path

STATUS = 66
FRAME = re.compile(r'    #\d+ (?P<function>.*?) (?:<null>|(?:/|\.\./|\S+:\d)\S*)(?: <null>)? \((?:.*/)?(?P<library>[^/+]+)\+0x')
# Whose stack it is: the two sides of a race; where each mutex of a cycle was taken with another one held; the one place of other kinds.
SIDE = re.compile(
    r'  (?:Previous )?(?:atomic )?(?:read|write) of size|  Mutex M\d+ .*acquired here while holding|'
    r'WARNING: ThreadSanitizer: (?!data race|lock-order)', re.IGNORECASE)
# The sanitizer's stand-ins for functions of the C library come first where those were called.
INTERCEPTED = re.compile(r'libsanitizer')
KINDS = {
    'data race': 'race',
    'lock-order-inversion': 'order',
    'use of an invalid mutex': 'mutex',
    'unlock of an unlocked mutex': 'mutex',
    'thread leak': 'thread',
}


def read_known(path):
    """[(kind, pattern, pattern)]"""
    lines = (line.split() for line in path.read_text().splitlines())
    return [(line[0], line[1], line[-1]) for line in lines if line and not line[0].startswith('#')]


def reports_in(text):
    return re.findall(r'^WARNING: ThreadSanitizer.*?^SUMMARY: [^\n]*$', text, re.MULTILINE | re.DOTALL)


def innermost(report):
    """Of each side the innermost function and the one that has called it, or their library where that says no more."""
    sides = []
    wanted = 0
    for line in report.splitlines():
        if SIDE.match(line):
            wanted = 2
            sides.append([])
        elif not line:
            wanted = 0
        elif wanted and (frame := FRAME.match(line)) and not INTERCEPTED.search(line):
            function = frame['function']
            sides[-1].append(frame['library'] if function == '<null>' else function)
            wanted -= 1
    return sides


def fits(side, pattern):
    """`pattern` is FUNCTION or FUNCTION<CALLER. A side that the sanitizer has forgotten fits, see tsan_known."""
    return all(fnmatchcase(function, wanted) for function, wanted in zip(side, pattern.split('<')))


def is_known(report, known):
    kind = next((short for text, short in KINDS.items() if report.startswith(f'WARNING: ThreadSanitizer: {text}')), None)
    sides = innermost(report)
    if not any(sides):
        return False
    for of_kind, one, other in known:
        if of_kind != kind:
            continue
        if kind == 'race':
            pairs = (sides, sides[::-1]) if len(sides) == 2 else ()
            if any(fits(a, one) and fits(b, other) for a, b in pairs):
                return True
        elif all(fits(side, one) or fits(side, other) for side in sides):
            return True
    return False


def main():
    libraries, known_file, *command = sys.argv[1:]
    known = read_known(Path(known_file))
    with tempfile.TemporaryDirectory() as folder:
        options = os.environ.get('TSAN_OPTIONS', '') + f':exitcode=0:log_path={folder}/log'
        environment = dict(os.environ, TSAN_OPTIONS=options, LD_LIBRARY_PATH=libraries)
        status = subprocess.run(command, env=environment, check=False).returncode
        texts = [log.read_text(errors='replace') for log in sorted(Path(folder).iterdir())]
    reports = [report for text in texts for report in reports_in(text)]
    unknown = [report for report in reports if not is_known(report, known)]
    # What ends the program, such as a crash, has no summary of that form.
    others = [text for text in texts if 'ThreadSanitizer' in text and not reports_in(text)]
    for text in unknown + others:
        print(text, file=sys.stderr, flush=True)
    if unknown or others:
        print(f'the thread sanitizer has {len(unknown) + len(others)} reports that are not known', file=sys.stderr)
    if status < 0:
        os.kill(os.getpid(), -status)
    sys.exit(status or (STATUS if unknown or others else 0))


if __name__ == '__main__':
    main()
