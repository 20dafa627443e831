#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Builds GLib and the core of GStreamer with the thread sanitizer, from the sources of this Debian's packages, for `./dev tsan`:
#
#   tests/support/tsan_libraries.sh DIR
#
# The libraries are in DIR/lib afterwards, for LD_LIBRARY_PATH. The sanitizer has to see GLib's locks, which are atomic
# operations and futexes of its own, and the reference counts of GLib and GStreamer; without them most of what it reports is
# none. GIO and the plugins are those of the system: they lock by calling GLib. The sources come from the mirror that this
# machine's apt uses, and the settings of apt are left as they are.
set -eu

say() { printf '\n==> %s\n' "$*" >&2; }
die() {
  printf 'dev: %s\n' "$*" >&2
  exit 1
}

[ $# -eq 1 ] || die 'tsan_libraries.sh needs a directory'
mkdir -p "$1"
dir=$(cd "$1" && pwd)

# The release of Debian's package whose libraries are replaced, such as 2.74.6: GIO and GLib want the same of each other.
release_of() { dpkg-query -W -f '${source:Upstream-Version}' "$1"; }

# The sources of every place that this machine has Debian's packages from, in apt's own order.
list_sources() {
  # shellcheck disable=SC2016 # apt-get fills these in
  apt-get indextargets --format '$(ORIGIN)|$(COMPONENT)|$(REPO_URI)|$(RELEASE)' 'Identifier: Packages' |
    sed -n 's/^Debian|main|\(.*\)|\(.*\)$/deb-src \1 \2 main/p' | awk '!seen[$0]++'
}

apt() {
  apt-get -qq -o Dir::Etc::SourceList="$dir/apt/sources.list" -o Dir::Etc::SourceParts=/dev/null \
    -o Dir::State::Lists="$dir/apt/lists" -o Dir::Cache="$dir/apt" -o APT::Sandbox::User=root "$@" >&2
}

get_sources() {
  say 'getting the sources of GLib and GStreamer'
  mkdir -p "$dir/apt/lists/partial" "$dir/sources"
  list_sources >"$dir/apt/sources.list"
  if [ ! -s "$dir/apt/sources.list" ]; then
    # A machine that has never read its sources does not know whose they are.
    apt-get -qq update >&2 || true
    list_sources >"$dir/apt/sources.list"
  fi
  [ -s "$dir/apt/sources.list" ] || die "no source of apt's on this machine is Debian's archive"
  apt update
  # What apt downloads it checks against the signed index.
  (cd "$dir/sources" && apt source glib2.0 gstreamer1.0)
}

# configure PACKAGE RELEASE OPTIONS...: makes its build directory.
configure() {
  source=$dir/sources/$1-$2
  build=$dir/build/$1
  [ -d "$source" ] || die "the mirror has another release of $1 than this machine, which has $2"
  shift 2
  [ -f "$build/build.ninja" ] ||
    $plain meson setup "$build" "$source" --prefix=/usr -Db_sanitize=thread -Db_lundef=false -Doptimization=1 "$@" >&2
}

# targets PATTERN: the libraries of the configured project whose paths match.
targets() { ninja -C "$build" -t targets all | sed -n "s#^\($1\): c_LINKER.*#\1#p"; }

# Programs of the build itself are instrumented as well: what they do is of no interest.
plain=
if setarch "$(uname -m)" -R true 2>/dev/null; then plain="setarch $(uname -m) -R"; fi
export TSAN_OPTIONS=report_bugs=0

# take PATTERN: builds those libraries and takes them with their links.
take() {
  # shellcheck disable=SC2046 # a list of words
  $plain ninja -C "$build" $(targets "$1") >&2
  for library in $(targets "$1"); do
    find "$build/${library%/*}" -maxdepth 1 -name "$(basename "${library%%.so*}").so*" ! -type d ! -name '*.py' \
      -exec cp -a {} "$dir/lib/" \;
  done
}

glib=$(release_of libglib2.0-0)
gstreamer=$(release_of libgstreamer1.0-0)
stamp=$dir/lib/of-$glib-$gstreamer
[ -e "$stamp" ] && exit 0

rm -rf "${dir:?}/lib" "${dir:?}/build" "${dir:?}/sources"
mkdir -p "$dir/lib"
get_sources
say "building GLib $glib and GStreamer $gstreamer with the thread sanitizer"
# GLib's bit locks are assembly on this processor, which the sanitizer does not see, unless it is said to be another.
configure glib2.0 "$glib" -Dc_args='-U__amd64__ -Ui386' -Dselinux=disabled -Dlibmount=disabled -Dxattr=false -Dlibelf=disabled -Dnls=disabled -Dtests=false
take 'g[a-z]*/libg\(lib\|object\|module\|thread\)-2\.0\.so\.[0-9.]*'
# With what debuggers need, functions that were put into others would be the innermost ones, which tsan_known does not name.
configure gstreamer1.0 "$gstreamer" -Ddebug=false --auto-features=disabled
take 'gst/libgstreamer-1\.0\.so\.[0-9.]*\|libs/gst/base/libgstbase-1\.0\.so\.[0-9.]*'
rm -rf "${dir:?}/build" "${dir:?}/sources" "${dir:?}/apt"
touch "$stamp"
