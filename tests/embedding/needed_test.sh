#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What the plugin without HTTP loads: nothing of libsoup, which ends a process that has its other version as well.
#
#   needed_test.sh LIBRARY...      looks at what each names as needed
set -eu
status=0
for library; do
  needed=$(readelf --dynamic --wide "$library" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
  # One of these is in each: without it the list was not read.
  case $needed in
    *libgobject-2.0.so*) ;;
    *)
      echo "$library: no list of needed libraries that names GLib"
      status=1
      ;;
  esac
  for name in $needed; do
    case $name in
      libsoup* | libwebrtcupload-signalling*)
        echo "$library needs $name"
        status=1
        ;;
    esac
  done
done
exit $status
