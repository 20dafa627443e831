#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# That includes which point up are found, in a tree of a few files.
set -eu
cd "$(dirname "$0")/../.."
layers=$PWD/tests/support/layers.py
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
mkdir -p src/core src/webrtc/sdp src/upload src/other gst/webrtcupload gst/webrtcuploadserver tests/unit

number=0
# expect WHAT OUTPUT: what is said of the tree as it is; then the tree is empty again.
expect() {
  number=$((number + 1))
  said=$(python3 "$layers" . || true)
  if [ "$said" = "$2" ]; then echo "ok $number - $1"; else
    echo "not ok $number - $1"
    printf '%s\n' "$said" | sed 's/^/# /'
  fi
  find . -type f -delete
}
header() { echo '#pragma once' >"$1"; }
file() { printf '#include "%s"\n' "$2" >"$1"; }

echo 1..7
header src/core/a.h
header src/webrtc/sdp/b.h
file src/core/c.cpp core/a.h
file src/webrtc/d.cpp webrtc/sdp/b.h
file src/upload/e.cpp webrtc/sdp/b.h
expect 'down and sideways is allowed' ''

header src/upload/a.h
file src/core/b.cpp upload/a.h
expect 'up is not' 'src/core/b.cpp includes upload/a.h, which is not below it'

header src/webrtc/a.h
file src/webrtc/sdp/b.cpp webrtc/a.h
expect 'a folder in a folder is a layer' 'src/webrtc/sdp/b.cpp includes webrtc/a.h, which is not below it'

header gst/webrtcupload/a.h
file gst/webrtcuploadserver/b.cpp gst/webrtcupload/a.h
expect 'one plugin does not include the other' 'gst/webrtcuploadserver/b.cpp includes gst/webrtcupload/a.h, which is not below it'

header gst/webrtcupload/a.h
file gst/webrtcupload/a.cpp gst/webrtcupload/a.h
file tests/unit/b.cpp gst/webrtcupload/a.h
expect 'nor do tests' 'tests/unit/b.cpp includes gst/webrtcupload/a.h, which is not below it'

header tests/unit/a.h
file src/core/b.cpp unit/a.h
expect 'sources do not include tests' 'src/core/b.cpp includes unit/a.h, which is not below it'

header src/other/a.h
expect 'a folder without a place is named' 'src/other/a.h: src/other has no place in LAYERS of tests/support/layers.py'
