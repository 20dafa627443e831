#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs clang-tidy on sources; what it looks for is in .clang-tidy. A header is looked at with a
source that includes it.

    tidy.py BUILD < NAMES       fails when it finds something in these files
"""

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOTS = [Path('src'), Path('gst')]


def names(header):
    """How the sources write a header: from the top, from `src`, or from `src/glib`, whose public headers are installed."""
    above = [Path('.'), Path('src'), Path('src/glib')]
    return [str(header.relative_to(folder)) for folder in above if header.is_relative_to(folder)]


def including(header):
    """The source that goes with a header, or else the first that includes it, if only by other headers. None if none does."""
    own = header.with_suffix('.cpp')
    if own.exists():
        return own
    files = sorted(path for root in ROOTS for kind in ('*.cpp', '*.h') for path in root.rglob(kind))
    looked_at = {header}
    wanted = [header]
    while wanted:
        written = '|'.join(re.escape(name) for each in wanted for name in names(each))
        line = re.compile(rf'^#include [<"]({written})[>"]', re.MULTILINE)
        found = [path for path in files if path not in looked_at and line.search(path.read_text())]
        for path in found:
            if path.suffix == '.cpp':
                return path
        looked_at.update(found)
        wanted = found
    return None


def tidy(build, source, headers):
    # Only what was asked for: other headers are somebody else's change.
    only = '|'.join(re.escape(str(header)) for header in headers) or 'no-header'
    command = ['clang-tidy', '--quiet', '--warnings-as-errors=*', f'--header-filter=({only})$', '-p', build, str(source)]
    return subprocess.run(command, capture_output=True, text=True)


def main():
    build = sys.argv[1]
    files = [Path(name) for name in sys.stdin.read().split()]
    headers = [path for path in files if path.suffix == '.h']
    sources = {path for path in files if path.suffix == '.cpp'}
    for header in headers:
        source = including(header)
        if source:
            sources.add(source)
        else:
            print(f'not looked at: {header}, which no source includes')
    failed = 0
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for result in pool.map(lambda source: tidy(build, source, headers), sorted(sources)):
            print(result.stdout, end='')
            failed += result.returncode != 0
            if result.returncode != 0 and not result.stdout:
                print(result.stderr, end='')
    if failed:
        sys.exit(f'clang-tidy finds something in {failed} of {len(sources)} sources')
    print(f'clang-tidy finds nothing in {len(sources)} sources')


if __name__ == '__main__':
    main()
