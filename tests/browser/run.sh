#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Runs a file of tests with Node and speaks TAP. Without what it needs, it says so and skips.
#
#   tests/browser/run.sh FILE [PART OF A NAME]
set -eu
cd "$(dirname "$0")"

skip() {
  printf '1..0 # SKIP %s\n' "$*"
  exit 0
}

command -v node >/dev/null || skip 'there is no node'
[ -d node_modules/playwright-core ] || skip 'npm ci was not run in tests/browser'
if [ -z "${CHROMIUM:-}" ]; then
  for name in chromium chromium-browser google-chrome; do
    CHROMIUM=$(command -v $name) && break
  done
  [ -n "$CHROMIUM" ] || skip 'there is no chromium'
  export CHROMIUM
fi

exec node "$@"
