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


def including(header):
    """The source that goes with a header, or else the first that includes it."""
    own = header.with_suffix('.cpp')
    if own.exists():
        return own
    name = header.relative_to('src') if header.is_relative_to('src') else Path(header.name)
    line = re.compile(rf'^#include "{re.escape(str(name))}"', re.MULTILINE)
    for root in ROOTS:
        for source in sorted(root.rglob('*.cpp')):
            if line.search(source.read_text()):
                return source
    return None


def tidy(build, source, headers):
    # Only what was asked for: other headers are somebody else's change.
    only = '|'.join(re.escape(str(header)) for header in headers) or 'no-header'
    command = ['clang-tidy', '--quiet', '--warnings-as-errors=*', f'--header-filter=({only})$', '-p', build, str(source)]
    return subprocess.run(command, capture_output=True, text=True)


def main():
    build = sys.argv[1]
    names = [Path(name) for name in sys.stdin.read().split()]
    headers = [name for name in names if name.suffix == '.h']
    sources = {name for name in names if name.suffix == '.cpp'}
    sources |= {source for source in map(including, headers) if source}
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
