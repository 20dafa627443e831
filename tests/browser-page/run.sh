#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Runs a file of tests with Node. Without what it needs, it says so and skips (77, as Meson has it).
#
#   tests/browser-page/run.sh FILE [PART OF A NAME]
set -eu
cd "$(dirname "$0")"

skip() {
  printf '%s\n' "skipped: $*"
  exit 77
}

command -v node >/dev/null || skip 'there is no node'
if [ "$1" = page.test.mjs ]; then
  [ -d node_modules/playwright-core ] || skip 'npm ci was not run in tests/browser-page'
  if [ -z "${CHROMIUM:-}" ]; then
    for name in chromium chromium-browser google-chrome; do
      CHROMIUM=$(command -v $name) && break
    done
    [ -n "$CHROMIUM" ] || skip 'there is no chromium'
    export CHROMIUM
  fi
fi

if [ $# -gt 1 ]; then
  exec node --test --test-name-pattern "$2" "$1"
fi
exec node --test "$1"
