#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# How much the log's lines slow an upload while the log is off; logs.cpp says how it is measured. `./dev bench logs` runs
# this. The server whose own lines are
# compiled out is built in a folder of its own, which later runs use again.
set -eu
without=@build@/without-logs
[ -f "$without/build.ninja" ] || meson setup "$without" "@source@" -Dbenchmarks=false -Dtests=disabled -Dcpp_args=-DGST_LEVEL_MAX=0 >&2
ninja -C "$without" src/tool/webrtc-upload gst/libgstwebrtcupload.so gst/libgstwebrtcuploadserver.so >&2
exec "@build@/tests/bench/logs_rounds" "$without/src/tool/webrtc-upload" "$without/gst" "$@"
