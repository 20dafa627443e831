#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whether what a mutex protects is used with the mutex held, as clang sees it from the attributes of
src/core/mutex.h. Makes nothing; what the build generates has to be there.

    check_threads.py BUILD FOLDER...
        checks what BUILD/compile_commands.json compiles in these folders; fails with clang's
        messages, when a file has a mutex that clang knows nothing of, and when there is nothing to
        check
"""

import json
import os
import re
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

# What is kept of the compiler that built. Its warnings are its own affair.
KEPT = ('-I', '-D', '-U', '-std=', '-isystem', '-pthread')
# Those of the standard library have no attributes.
UNCHECKED = re.compile(r'\bstd::(\w*mutex|condition_variable\w*|lock_guard|unique_lock|scoped_lock|shared_lock)\b')
WRAPPER = 'src/core/mutex.h'
CHECK = ['-fsyntax-only', '-Wno-everything', '-Werror=thread-safety', '-Werror=thread-safety-beta']


def commands(build, folders):
    """Where each source below `folders` is compiled, and with which options."""
    found = {}
    for entry in json.loads((build / 'compile_commands.json').read_text()):
        source = (Path(entry['directory']) / entry['file']).resolve()
        if source.suffix == '.cpp' and any(source.is_relative_to(folder) for folder in folders):
            options = [word for word in shlex.split(entry['command']) if word.startswith(KEPT)]
            found[source] = (entry['directory'], options)
    return found


def unchecked(folders):
    """A line for each use of a mutex that is not the one of WRAPPER."""
    for folder in folders:
        for path in sorted(folder.rglob('*')) if folder.is_dir() else [folder]:
            if path.suffix not in ('.cpp', '.h') or path.match(WRAPPER):
                continue
            for number, line in enumerate(path.read_text().splitlines(), 1):
                if found := UNCHECKED.search(line):
                    yield f'{path}:{number}: {found.group()} is not checked: use those of {WRAPPER}'


def check(job):
    source, (directory, options) = job
    command = ['clang++', *CHECK, *options, str(source)]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True)


def main():
    build, *folders = (Path(argument).resolve() for argument in sys.argv[1:])
    jobs = commands(build, folders)
    if not jobs:
        sys.exit('there is nothing to check')
    strangers = list(unchecked(folders))
    for line in strangers:
        print(line)
    failed = 0
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for result in pool.map(check, jobs.items()):
            print(result.stderr, end='')
            failed += result.returncode != 0
    if failed or strangers:
        sys.exit(f'{failed} of {len(jobs)} files do not keep to their mutexes')
    print(f'{len(jobs)} files keep to their mutexes')


if __name__ == '__main__':
    main()
