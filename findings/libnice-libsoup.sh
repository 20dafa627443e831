#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Who loads GStreamer's webrtcbin has libsoup 3 in the process, by Debian's packages.
#
# libsoup 3 refuses to be in one process with libsoup 2, so that a program with libsoup 2 cannot use webrtcbin, although
# WebRTC needs no HTTP. The way there: webrtcbin's ICE agent is libnice; Debian builds libnice with UPnP, which asks home
# routers to open ports and is done by GUPnP; GUPnP speaks HTTP by libsoup.
#
# Seen with Debian 12's packages below (libnice 0.1.21), and in the same way with those of Debian 13 (libnice 0.1.22,
# libgupnp-igd-1.6) and of testing (libnice 0.1.23).
# Expected: nothing of HTTP is loaded as long as nobody asks for UPnP.
#
# Needs apt-get with Debian 12's packages, dpkg-deb and readelf. Nothing is installed: packages are unpacked into a folder.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# Where apt drops its privileges, it has to be able to write.
chmod 755 "$folder"
cd "$folder"
apt-get -q download gstreamer1.0-plugins-bad=1.22.0-4+deb12u8 libgstreamer-plugins-bad1.0-0=1.22.0-4+deb12u8 \
  libnice10=0.1.21-1 libgupnp-igd-1.0-4=1.2.0-3 libgupnp-1.6-0=1.6.3-1 >apt.log 2>&1
for package in *.deb; do dpkg-deb --extract "$package" root; done

# What FILE names as needed and matches PATTERN.
needs() { readelf --dynamic --wide "$(find root -name "$1*" -type f)" | sed -n "s/.*(NEEDED).*\[\($2[^]]*\)\]/\1/p"; }

for step in 'libgstwebrtc.so libgstwebrtcnice' 'libgstwebrtcnice-1.0.so libnice' 'libnice.so libgupnp-igd' \
  'libgupnp-igd-1.0.so libgupnp-1' 'libgupnp-1.6.so libsoup'; do
  echo "${step% *} needs $(needs "${step% *}" "${step#* }")"
done >seen
cat >expected <<'TEXT'
libgstwebrtc.so needs libgstwebrtcnice-1.0.so.0
libgstwebrtcnice-1.0.so needs libnice.so.10
libnice.so needs libgupnp-igd-1.0.so.4
libgupnp-igd-1.0.so needs libgupnp-1.6.so.0
libgupnp-1.6.so needs libsoup-3.0.so.0
TEXT
cat seen
diff expected seen
