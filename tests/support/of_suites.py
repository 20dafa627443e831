#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What Meson knows of the tests of some suites.

    of_suites.py targets BUILD SUITE...   what ninja has to build for them, in one line
    of_suites.py halves BUILD SUITE...    their names, every other one before a | and the rest behind it

Ends with 1 when there are none.
"""

import json
import sys
from pathlib import Path


def main():
    what, build, suites = sys.argv[1], Path(sys.argv[2]), set(sys.argv[3:])

    def known(name):
        return json.loads((build / 'meson-info' / f'intro-{name}.json').read_text())

    # Meson writes a suite as "project:suite".
    tests = [test for test in known('tests') if suites & {suite.split(':')[-1] for suite in test['suite']}]
    if not tests:
        sys.exit(f'{build} has no tests of the suites {", ".join(sorted(suites))}')
    if what == 'targets':
        needed = {target for test in tests for target in test['depends']}
        files = (Path(file) for target in known('targets') if target['id'] in needed for file in target['filename'])
        print(*sorted(str(file.relative_to(build.resolve())) for file in files))
    else:
        names = [test['name'] for test in tests]
        print(*names[::2], '|', *names[1::2])


main()
