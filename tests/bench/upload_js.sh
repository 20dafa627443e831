#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Uploads through upload.js and through the public SDK, side by side in one Chromium: on loopback, and at two distances if
# this is root. `./dev bench upload_js`.
set -eu
UPLOAD_JS=@build@/src/web
export UPLOAD_JS
speed() { "$@" "@source@/tests/browser/run.sh" "@source@/tests/browser-page/speed.mjs"; }
status=0
speed env BARS='v2/v1=0.95' || status=1
if [ "$(id -u)" != 0 ]; then
  echo 'not root: nothing is measured at a distance'
  exit 1
fi
speed env BARS='auto/SDK=3' BYTES="${FAR_BYTES:-20e6}" "@build@/tests/bench/far-command" 50 0.001 || status=1
speed env BARS='auto/SDK=2' BYTES="${FAR_BYTES:-20e6}" "@build@/tests/bench/far-command" 100 0 || status=1
exit $status
