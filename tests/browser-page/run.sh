#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Runs a file of tests that need Node alone; without, it skips (77, as Meson has it).
#
#   tests/browser-page/run.sh FILE
set -eu
cd "$(dirname "$0")"
command -v node >/dev/null || exit 77
exec node --test "$1"
