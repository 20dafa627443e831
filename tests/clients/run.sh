#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Runs the tests of one WebRTC stack for Node and speaks TAP. Without what it needs, it says so and skips.
#
#   tests/clients/run.sh STACK [PART OF A NAME]
set -eu
cd "$(dirname "$0")"

skip() {
  printf '1..0 # SKIP %s\n' "$*"
  exit 0
}

command -v node >/dev/null || skip 'there is no node'
[ -d node_modules/werift ] || skip 'npm ci was not run in tests/clients'
for tool in ip unshare; do
  command -v $tool >/dev/null || skip "there is no $tool"
done

# In a network namespace of its own, so that a second interface is there: werift leaves out the loopback one. The cable has
# both ends in there, and vanishes with the last process.
as_root=--map-root-user
[ "$(id -u)" -ne 0 ] || as_root=
# shellcheck disable=SC2086 # an option, or none
unshare ${as_root:+--user $as_root} --net sh -c 'ip link add probe type veth' 2>/dev/null ||
  skip 'no network namespaces here'
# shellcheck disable=SC2086,SC2016 # as above; "$@" is that of the inner shell
exec unshare ${as_root:+--user $as_root} --net sh -ec '
  ip link set lo up
  ip link add client type veth peer name nobody
  ip address add 10.77.0.2/24 dev client
  ip link set client up
  ip link set nobody up
  exec node stacks.test.mjs "$@"' sh "$@"
