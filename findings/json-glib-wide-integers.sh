#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# JSON-GLib reads an integer of more than 64 bits as another integer, of the other sign too, and reports no error.
#
# JSON sets no bound to a number (RFC 8259, section 6): a reader may bound the range that it accepts. Whoever checks the
# value that comes out, such as "from 0 to the file's size", takes -18446744073709551611 for 5. GStreamer's programs read
# signalling and metadata by this library.
#
# Seen with Debian 12's packages below (JSON-GLib 1.6.6). 2^63 becomes -2^63, greater ones become -1, and those below
# -2^63 become positive. With a fraction (".0") the same digits become a double of the right size.
# Expected: an error, or a double, as for a number with a fraction.
#
# Needs apt-get with Debian 12's packages, dpkg-deb and python3 (ctypes). Packages are unpacked into a folder.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# Where apt drops its privileges, it has to be able to write.
chmod 755 "$folder"
cd "$folder"
apt-get -q download libjson-glib-1.0-0=1.6.6-1 libglib2.0-0=2.74.6-2+deb12u9 >apt.log 2>&1
for package in *.deb; do dpkg-deb --extract "$package" root; done
libraries=$(dirname "$(find "$folder/root" -name 'libjson-glib-1.0.so.0')")

cat >look.py <<'PYTHON'
from ctypes import CDLL, c_char_p, c_double, c_int64, c_size_t, c_void_p

json, gobject = CDLL('libjson-glib-1.0.so.0'), CDLL('libgobject-2.0.so.0')


def function(library, name, result, *arguments):
    found = getattr(library, name)
    found.restype, found.argtypes = result, arguments
    return found


parse = function(json, 'json_from_string', c_void_p, c_char_p, c_void_p)
type_of = function(json, 'json_node_get_value_type', c_size_t, c_void_p)
type_name = function(gobject, 'g_type_name', c_char_p, c_size_t)
get_int = function(json, 'json_node_get_int', c_int64, c_void_p)
get_double = function(json, 'json_node_get_double', c_double, c_void_p)

for text in ('9223372036854775807', '9223372036854775808', '18446744073709551621', '-9223372036854775809',
             '-18446744073709551611', '-18446744073709551611.0'):
    node = parse(text.encode(), None)
    name = type_name(type_of(node)).decode()
    print(text, '->', name, get_int(node) if name == 'gint64' else f'{get_double(node):.0f}')
PYTHON
cat >expected <<'TEXT'
9223372036854775807 -> gint64 9223372036854775807
9223372036854775808 -> gint64 -9223372036854775808
18446744073709551621 -> gint64 -1
-9223372036854775809 -> gint64 9223372036854775807
-18446744073709551611 -> gint64 5
-18446744073709551611.0 -> gdouble -18446744073709551616
TEXT
LD_LIBRARY_PATH=$libraries python3 look.py >seen
cat seen
diff expected seen
