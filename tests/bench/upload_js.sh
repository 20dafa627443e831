#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Uploads through upload.js and through the public SDK, side by side in one Chromium. `./dev bench upload_js`.
set -eu
exec "@source@/tests/browser/run.sh" "@source@/tests/browser-page/speed.mjs"
