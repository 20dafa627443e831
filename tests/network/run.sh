#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Runs a file of tests with Node and speaks TAP. Without what it needs, it says so and skips.
#
#   tests/network/run.sh FILE [PART OF A NAME]
set -eu
cd "$(dirname "$0")"

for tool in node ip unshare nsenter nft; do
  command -v $tool >/dev/null && continue
  printf '1..0 # SKIP there is no %s\n' $tool
  exit 0
done

exec node "$@"
