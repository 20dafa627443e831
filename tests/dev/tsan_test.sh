#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# That the thread sanitizer sees races as `./dev tsan` runs it, and none where there is none: tsan_probe.cpp, with the
# libraries, the options and the list of what is known that the tests have.
#
#   tsan_test.sh PROBE
set -u
probe=$(realpath "$1")
# As tsan_run.py, which runs this, has set it.
libraries=$LD_LIBRARY_PATH
cd "$(dirname "$0")/../support" || exit 1
number=0

# expect STATUS TEXT WHAT: what the probe ends with, and what the sanitizer says of it; "" for nothing at all.
expect() {
  number=$((number + 1))
  status=0
  said=$(./tsan_run.py "$libraries" tsan_known "$probe" "$3" 2>&1) || status=$?
  result='not ok'
  if [ "$status" -eq "$1" ]; then
    if [ -z "$2" ]; then
      [ -n "$said" ] || result=ok
    else
      case $said in *"$2"*) result=ok ;; esac
    fi
  fi
  echo "$result $number - $3"
  [ "$result" = ok ] || printf '%s\n' "exit status $status" "$said" | sed 's/^/# /'
}

echo 1..8
expect 66 'data race' 'nothing held'
expect 0 '' 'GMutex held'
expect 0 '' 'mutex held'
expect 0 '' 'handed over'
expect 0 '' 'object shared'
expect 66 'data race' 'released'
expect 0 '' 'one order'
expect 66 'lock-order-inversion' 'two orders'
