#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Which sources `./dev tidy` looks at for a change, in a tree of a few files. clang-tidy is a stand-in, which finds something in
# each file with "FAULT" in it, and says what it was called with.
set -eu
cd "$(dirname "$0")/../.."
tidy=$PWD/tests/support/tidy.py
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
mkdir -p bin src/core src/glib/webrtcupload gst/webrtcupload
cat >bin/clang-tidy <<'END_OF_PROGRAM'
#!/bin/sh
for word; do
  case $word in --header-filter=*) filter=$word ;; esac
  source=$word
done
echo "$source $filter"
! grep -q FAULT "$source"
END_OF_PROGRAM
chmod +x bin/clang-tidy
PATH=$scratch/bin:$PATH

number=0
# expect WHAT STATUS OUTPUT FILES: what is said of a change of FILES.
expect() {
  number=$((number + 1))
  status=0
  said=$(printf '%s\n' "$4" | python3 "$tidy" build 2>&1) || status=$?
  if [ "$status $said" = "$2 $3" ]; then echo "ok $number - $1"; else
    echo "not ok $number - $1"
    printf '%s\n' "$status $said" | sed 's/^/# /'
  fi
}

: >src/core/own.h
: >src/core/own.cpp
: >src/core/alone.h
echo '#include "core/alone.h"' >src/core/b.cpp
echo '#include "core/alone.h"' >src/core/c.cpp
: >src/core/inner.h
echo '#include "core/inner.h"' >src/core/outer.h
echo '#include "core/outer.h"' >src/core/d.cpp
: >src/glib/webrtcupload/public.h
echo '#include <webrtcupload/public.h>' >src/glib/webrtcupload/e.cpp
: >gst/webrtcupload/shell.h
echo '#include "gst/webrtcupload/shell.h"' >gst/webrtcupload/f.cpp
: >src/core/nobodys.h
echo FAULT >src/core/fault.cpp

echo 1..9
expect 'a source' 0 'src/core/own.cpp --header-filter=(no-header)$
clang-tidy finds nothing in 1 sources' src/core/own.cpp
expect 'a header with the source of its name' 0 'src/core/own.cpp --header-filter=(src/core/own\.h)$
clang-tidy finds nothing in 1 sources' 'src/core/own.h src/core/own.cpp'
expect 'a header with the first source that includes it' 0 'src/core/b.cpp --header-filter=(src/core/alone\.h)$
clang-tidy finds nothing in 1 sources' src/core/alone.h
expect 'a header that only headers include' 0 'src/core/d.cpp --header-filter=(src/core/inner\.h)$
clang-tidy finds nothing in 1 sources' src/core/inner.h
expect 'a header that is installed' 0 'src/glib/webrtcupload/e.cpp --header-filter=(src/glib/webrtcupload/public\.h)$
clang-tidy finds nothing in 1 sources' src/glib/webrtcupload/public.h
expect 'a header of a plugin' 0 'gst/webrtcupload/f.cpp --header-filter=(gst/webrtcupload/shell\.h)$
clang-tidy finds nothing in 1 sources' gst/webrtcupload/shell.h
expect 'a header that nothing includes' 0 'not looked at: src/core/nobodys.h, which no source includes
clang-tidy finds nothing in 0 sources' src/core/nobodys.h
expect 'something is found' 1 'src/core/fault.cpp --header-filter=(no-header)$
src/core/own.cpp --header-filter=(no-header)$
clang-tidy finds something in 1 of 2 sources' 'src/core/fault.cpp src/core/own.cpp'
expect 'nothing has changed' 0 'clang-tidy finds nothing in 0 sources' ''
