#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# How `./dev on` makes its roots and keeps them, with a debootstrap and a chroot that only note what they are asked for.
set -eu
cd "$(dirname "$0")/../.."
on=$PWD/tests/support/on.sh

if [ "$(id -u)" -ne 0 ] || ! unshare --mount --propagation private true 2>/dev/null; then
  echo '1..0 # SKIP needs a root that may mount'
  exit 0
fi
command -v apt-config >/dev/null || {
  echo '1..0 # SKIP there is no apt'
  exit 0
}

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/bin" "$scratch/cache"
export XDG_CACHE_HOME="$scratch/cache" ASKED="$scratch/asked" PATH="$scratch/bin:$PATH"
roots=$scratch/cache/webrtcupload

program() {
  cat >"$scratch/bin/$1"
  chmod +x "$scratch/bin/$1"
}
program apt-get <<'END_OF_PROGRAM'
#!/bin/sh
[ "$1" = indextargets ] || exit 1
printf '%s\n' 'Elsewhere|Elsewhere|main|http://elsewhere.invalid/' \
  'Debian|Debian-Security|main|http://mirror.invalid/security/' 'Debian|Debian|main|http://mirror.invalid/debian/'
END_OF_PROGRAM
program npm </dev/null
# A root that is as whole as anybody looks. With WORSE it goes wrong: it fails half way, or takes for ever.
program debootstrap <<'END_OF_PROGRAM'
#!/bin/sh
echo "$*" >>"$ASKED"
while case $1 in --*) true ;; *) false ;; esac do shift; done
mkdir -p "$2/debootstrap" "$2/proc" "$2/sys" "$2/dev" "$2/run" "$2/etc/apt/apt.conf.d" "$2/etc/dpkg/dpkg.cfg.d" \
  "$2/usr/bin" "$2/usr/sbin"
echo "VERSION_CODENAME=$1" >"$2/etc/os-release"
case ${WORSE:-} in
  fails) exit 1 ;;
  hangs) echo hangs >&2; exec sleep 600 ;;
esac
printf '#!/bin/sh\n' >"$2/usr/bin/apt-get"
chmod +x "$2/usr/bin/apt-get"
rmdir "$2/debootstrap"
END_OF_PROGRAM
program chroot <<'END_OF_PROGRAM'
#!/bin/sh
[ "$2" != dpkg ] || exit 0
mountpoint -q "$1" && echo "in $1: $*"
END_OF_PROGRAM

count=0
failed=0
check() {
  count=$((count + 1))
  name=$1
  shift
  if "$@" >"$scratch/said" 2>&1; then
    echo "ok $count - $name"
  else
    failed=1
    echo "not ok $count - $name"
    sed 's/^/# /' "$scratch/said" "$ASKED"
  fi
}
# shellcheck disable=SC2317 # these are called by check
refuses() {
  text=$1
  shift
  ! "$@" >"$scratch/output" 2>&1 && grep -q "$text" "$scratch/output"
}
# shellcheck disable=SC2317
runs() { "$on" "$1" demo film.mp4 2>&1 | grep -q "in $roots/$1:.*/dev demo film.mp4\$"; }
# shellcheck disable=SC2317
times_asked() { [ "$(wc -l <"$ASKED")" -eq "$1" ]; }
: >"$ASKED"

check 'an unknown release is refused' refuses 'no such suite: buster' "$on" buster test
check 'a failing debootstrap is told' refuses 'could not make a root' env WORSE=fails "$on" trixie test
check 'its half root is not there for the next one' [ ! -e "$roots/trixie" ]

WORSE=hangs setsid "$on" trixie test 2>"$scratch/hangs" &
pid=$!
for _ in $(seq 600); do
  grep -q hangs "$scratch/hangs" && break
  sleep 0.1
done
# A session of its own is a group of processes of its own.
kill -s KILL -- "-$pid"
wait $pid 2>/dev/null || true
check 'a killed one had begun' times_asked 2
check 'a killed one leaves no root either' [ ! -e "$roots/trixie" ]

check 'the next one makes it, and runs the command' runs trixie
check 'from the mirror of the machine' grep -q " trixie $roots/trixie.partial http://mirror.invalid/debian/" "$ASKED"
check 'it was asked for once more' times_asked 3
check 'then it is kept' runs trixie
check 'and not made again' times_asked 3

check 'a release newer than debootstrap is made as unstable is' runs forky
[ -e /usr/share/debootstrap/scripts/forky ] || check 'with its script' grep -q 'forky.*/scripts/sid' "$ASKED"

mkdir -p "$roots"
debootstrap bookworm "$roots/bookworm" by-hand
check 'one made by hand is taken over' runs bookworm
check 'as it is' times_asked 5
rm "$roots/bookworm/.webrtcupload-root"
mkdir "$roots/bookworm/debootstrap"
check 'a half one made by hand is made again' runs bookworm
check 'from the beginning' times_asked 6
check 'and nothing stays mounted' sh -c "! grep -q '$roots' /proc/self/mounts"

echo "1..$count"
exit $failed
