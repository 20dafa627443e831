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

case $1 in
  *firefox*)
    variable=FIREFOX
    names='firefox-esr firefox'
    ;;
  *)
    variable=CHROMIUM
    names='chromium chromium-browser google-chrome'
    ;;
esac
eval "program=\${$variable:-}"
if [ -z "$program" ]; then
  for name in $names; do
    program=$(command -v "$name") && break
  done
  [ -n "$program" ] || skip "there is no ${names%% *}"
fi
export "$variable=$program"

exec node "$@"
