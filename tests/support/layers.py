#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whether includes point down. A folder of sources is a layer: its files may include those of the
same folder and of the folders before it in LAYERS. Nothing includes what is in gst/ but the plugin
in the same folder.

    layers.py [ROOT]        fails with a line for each include that it does not allow
"""

import re
import sys
from pathlib import Path

LAYERS = [
    'src/core',
    'src/json',
    'src/glib/webrtcupload',
    'src/glib',
    'src/webrtc/sdp',
    'src/webrtc',
    'src/downstream',
    'src/upload',
    'src/sending',
    'src/results',
    'src/web',
    'src/signalling',
    'src/tool/common',
    'src/tool/sandbox',
    'src/tool/session',
    'src/tool/serve',
    'src/tool/send',
    'src/tool',
    'gst/webrtcupload',
    'gst/webrtcuploadserver',
]
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)


def layer_of(path):
    """The folder in LAYERS that `path` is in, or its own folder."""
    folder = path.parent.as_posix()
    return folder if folder in LAYERS else next(
        (layer for layer in sorted(LAYERS, key=len, reverse=True) if folder.startswith(layer + '/')), folder)


def included(root, name):
    """The file that an include of this name means, below `root`; None if it is none of ours."""
    for base in ('src', '.', 'tests'):
        path = Path(base) / name
        if (root / path).is_file():
            return path
    return None


def problems(root):
    found = []
    for path in sorted(path for pattern in ('src/**/*', 'gst/**/*', 'tests/**/*')
                       for path in root.glob(pattern) if path.suffix in ('.h', '.cpp')):
        here = path.relative_to(root)
        if 'node_modules' in here.parts:
            continue
        layer = layer_of(here)
        is_test = here.parts[0] == 'tests'
        if not is_test and layer not in LAYERS:
            found.append(f'{here}: {layer} has no place in LAYERS of tests/support/layers.py')
            continue
        for name in INCLUDE.findall(path.read_text(encoding='utf-8')):
            target = included(root, name)
            if target is None or target.parts[0] == 'tests' and is_test:
                continue
            below = layer_of(target)
            if target.parts[0] == 'gst':
                allowed = below == layer
            elif target.parts[0] == 'tests':
                allowed = False
            else:
                allowed = is_test or LAYERS.index(below) <= LAYERS.index(layer)
            if not allowed:
                found.append(f'{here} includes {name}, which is not below it')
    return found


def main():
    root = Path(sys.argv[1] if len(sys.argv) > 1 else '.')
    found = problems(root)
    for problem in found:
        print(problem)
    return 1 if found else 0


if __name__ == '__main__':
    sys.exit(main())
