#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Runs a command of `./dev` on another release of Debian, in a root of its own that is kept for the next time:
#
#   tests/support/on.sh SUITE COMMAND [ARGS]
#
# The root is below ${XDG_CACHE_HOME:-$HOME/.cache}/webrtcupload; who deletes it gets a new one. It is made by debootstrap,
# from this machine's own Debian mirror and with its apt's settings. The project is seen there under its own path; what is
# mounted for that is seen by the command only, and goes with it.
set -eu

say() { printf '\n==> %s\n' "$*" >&2; }
die() {
  printf 'dev: %s\n' "$*" >&2
  exit 1
}

# --- the root ---------------------------------------------------------------------------------------------------------

# The archive that this machine's own packages come from, whichever way its sources are written.
debian_mirror() {
  # shellcheck disable=SC2016 # apt-get fills these in
  apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(COMPONENT)|$(REPO_URI)' 'Identifier: Packages' |
    sed -n 's/^Debian|Debian|main|//p' | sed 1q
}

# What this machine's apt is told about getting things: proxies, certificates, how old an index may be. What it is told about
# the indexes themselves differs from version to version.
apt_settings() {
  apt-config dump | grep '^Acquire::' |
    grep -v -E '^Acquire::(IndexTargets|CompressionTypes|Changelogs|cdrom)|Proxy-Auto-Detect|^Acquire::[A-Za-z:-]* "";$' || true
}

# The state of a root: 0 if debootstrap and dpkg have ended what they began there, and it is of this suite.
whole() {
  [ -x "$1/usr/bin/apt-get" ] && [ ! -e "$1/debootstrap" ] &&
    grep -q "^VERSION_CODENAME=$suite\$" "$1/etc/os-release" &&
    [ -z "$(chroot "$1" dpkg --audit 2>&1)" ]
}

make_root() {
  mirror=$(debian_mirror)
  if [ -z "$mirror" ]; then
    # A machine that has never read its sources does not know whose they are.
    apt-get -qq update >&2 || true
    mirror=$(debian_mirror)
  fi
  [ -n "$mirror" ] || die "no source of apt's on this machine is Debian's archive, which $suite could come from"
  # debootstrap asks wget, which does not know of apt's proxy.
  proxy=
  eval "$(apt-config shell proxy Acquire::http::Proxy)"
  # A release that is newer than debootstrap is made as unstable is.
  script=
  [ -e "/usr/share/debootstrap/scripts/$suite" ] || script=/usr/share/debootstrap/scripts/sid

  say "making a root of $suite in $base"
  rm -rf --one-file-system "$base.partial"
  mkdir -p "$base.partial"
  (
    [ -z "$proxy" ] || [ "$proxy" = DIRECT ] || export http_proxy="$proxy"
    # shellcheck disable=SC2086 # a word, or none
    debootstrap --variant=minbase --include=ca-certificates "$suite" "$base.partial" "$mirror" $script >&2
  ) || die "debootstrap could not make a root of $suite; $base.partial/debootstrap/debootstrap.log may say why"
  # Nothing that packages bring is started.
  printf '#!/bin/sh\nexit 101\n' >"$base.partial/usr/sbin/policy-rc.d"
  chmod +x "$base.partial/usr/sbin/policy-rc.d"
  # dpkg does not wait for the disk after each file then: a root that a power cut has damaged is soon made again.
  echo force-unsafe-io >"$base.partial/etc/dpkg/dpkg.cfg.d/unsafe-io"
  whole "$base.partial" || die "$base.partial is no whole root of $suite"
  touch "$base.partial/$stamp"
  # Only now has it the name that it is looked for under.
  rm -rf --one-file-system "$base"
  mv "$base.partial" "$base"
}

# With the lock held.
have_root() {
  [ -e "$base/$stamp" ] && return 0
  # One that somebody has made by hand.
  if [ -d "$base" ] && whole "$base"; then
    touch "$base/$stamp"
    return 0
  fi
  make_root
}

# --- what it shares with this machine ---------------------------------------------------------------------------------

# share FILE: this machine's file, under the same path; a copy, as packages there may want to replace it.
share() {
  [ -f "$1" ] || return 0
  mkdir -p "$base$(dirname "$1")"
  cmp -s "$1" "$base$1" || cp --dereference --remove-destination "$1" "$base$1"
}

share_settings() {
  apt_settings | cmp -s - "$base/etc/apt/apt.conf.d/90machine" || apt_settings >"$base/etc/apt/apt.conf.d/90machine"
  share /etc/resolv.conf
  share /etc/hosts
  # The authorities themselves, for when a package makes the bundle anew, and the bundle.
  for certificate in /usr/local/share/ca-certificates/*.crt /etc/ssl/certs/ca-certificates.crt \
    "${NODE_EXTRA_CA_CERTS:-}" "${SSL_CERT_FILE:-}"; do
    share "$certificate"
  done
}

# Where this machine has npm's settings, as KIND=FILE.
npm_settings() {
  command -v npm >/dev/null || return 0
  npm config get userconfig globalconfig 2>/dev/null || true
}

mount_all() {
  # "/" has to be a mount point for those who mount in there.
  mount --bind "$base" "$base"
  mount -t proc proc "$base/proc"
  mount --rbind /sys "$base/sys"
  mount --rbind /dev "$base/dev"
  mountpoint -q "$base/dev/shm" || mount -t tmpfs tmpfs "$base/dev/shm"
  mount -t tmpfs -o mode=755 tmpfs "$base/run"
  mkdir -p "$base/run/lock" "$base$project"
  mount --bind "$project" "$base$project"
  # A work tree's repository is elsewhere.
  repository=$(git rev-parse --path-format=absolute --git-common-dir 2>/dev/null) || repository=
  case $repository in
    '' | "$project"/*) ;;
    *)
      mkdir -p "$base$repository"
      mount --bind "$repository" "$base$repository"
      ;;
  esac
  touch "$base/run/npm-userconfig" "$base/run/npm-globalconfig"
  npm_settings | while IFS='=' read -r kind settings; do
    [ ! -f "$settings" ] || mount --bind "$settings" "$base/run/npm-$kind"
  done
}

# --- what is asked for ------------------------------------------------------------------------------------------------

[ $# -ge 2 ] || die 'on needs a suite and a command'
suite=$1
shift
case $suite in
  bookworm | trixie | forky) ;;
  *) die "no such suite: $suite; there are bookworm, trixie and forky" ;;
esac
[ "$(id -u)" -eq 0 ] || die "needs root: \`on $suite\` mounts filesystems and changes its root"

if [ "${DEV_OWN_MOUNTS:-}" != yes ]; then
  unshare --mount --propagation private true ||
    die "needs a root that may make mount namespaces, which this one may not"
  DEV_OWN_MOUNTS=yes exec unshare --mount --propagation private "$0" "$suite" "$@"
fi
unset DEV_OWN_MOUNTS

caller=$PWD
cd "$(dirname "$0")/../.."
project=$PWD
# The command's own paths are the caller's, where the root has them.
case $caller in "$project" | "$project"/*) ;; *) caller=$project ;; esac

cache=${XDG_CACHE_HOME:-$HOME/.cache}/webrtcupload
base=$cache/$suite
stamp=.webrtcupload-root
mkdir -p "$cache"
(
  flock 9
  have_root
  share_settings
) 9>"$cache/$suite.lock"
mount_all

# shellcheck disable=SC2016 # for the shell in there
exec chroot "$base" /usr/bin/env -u TMPDIR -u XDG_CACHE_HOME -u XDG_CONFIG_HOME -u XDG_DATA_HOME -u XDG_RUNTIME_DIR -u LANG -u LANGUAGE \
  -u CHROMIUM -u GST_PLUGIN_PATH -u GST_REGISTRY \
  LC_ALL=C.UTF-8 HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
  NPM_CONFIG_USERCONFIG=/run/npm-userconfig NPM_CONFIG_GLOBALCONFIG=/run/npm-globalconfig DEV_SUITE="$suite" \
  sh -c 'cd "$1" && dev=$2 && shift 2 && exec "$dev" "$@"' sh "$caller" "$project/dev" "$@"
