#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Draws a short film of two people walking past a house and encodes it, so that there is something for the people
# detector to find without shipping or downloading anybody's footage.
#
#   tests/support/make_video.sh OUT.mp4 [FRAMES]
#
# H.264 in MP4, 640x480, 25 frames a second, 100 frames unless told otherwise.
set -eu

if [ $# -lt 1 ] || [ $# -gt 2 ]; then
  echo "usage: $0 OUT.mp4 [FRAMES]" >&2
  exit 2
fi
out=$1
frames=${2:-100}
# A test may run with libraries that only its own program can load.
unset LD_LIBRARY_PATH

dir=$(mktemp -d "${TMPDIR:-/tmp}/make_video.XXXXXX")
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM HUP

# One SVG per frame. A person is 100 units tall, feet at (0, 0); proportions and the soft outline are what the
# cascade, trained on photographs of standing and walking people, takes for one.
awk -v frames="$frames" -v dir="$dir" '
function limb(x1, y1, x2, y2, w, colour) {
  return sprintf("<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\" " \
                 "stroke-width=\"%.1f\" stroke-linecap=\"round\"/>\n", x1, y1, x2, y2, colour, w)
}
# Both legs swing about the hip, the arms against them; the knees give a little.
function person(x, y, height, phase, coat, trousers,    s, a, out) {
  s = sin(phase); a = s * 7
  out = sprintf("<g filter=\"url(#soft)\" transform=\"translate(%.1f %.1f) scale(%.3f)\">\n", x, y, height / 100)
  out = out "<ellipse cx=\"0\" cy=\"0\" rx=\"15\" ry=\"3\" fill=\"#777\"/>\n"
  out = out limb(-4, -47, -4 + a * 0.6, -24, 9, trousers) limb(-4 + a * 0.6, -24, -4 + a, -4, 7.5, trousers)
  out = out limb(4, -47, 4 - a * 0.6, -24, 9, trousers) limb(4 - a * 0.6, -24, 4 - a, -4, 7.5, trousers)
  out = out limb(-4 + a, -2, -1 + a, -2, 4, "#201812") limb(4 - a, -2, 7 - a, -2, 4, "#201812")
  out = out limb(-10, -78, -13 - a * 0.5, -50, 6, coat) limb(10, -78, 13 + a * 0.5, -50, 6, coat)
  out = out "<path d=\"M -12 -80 Q 0 -87 12 -80 L 10 -46 L -10 -46 Z\" fill=\"" coat "\"/>\n"
  out = out "<ellipse cx=\"0\" cy=\"-91\" rx=\"6\" ry=\"8\" fill=\"#b08a70\"/>\n"
  out = out "<path d=\"M -6.5 -91 Q -6 -101 0 -100 Q 6 -101 6.5 -91 Q 0 -96 -6.5 -91 Z\" fill=\"#2a1d14\"/>\n"
  return out "</g>\n"
}
BEGIN {
  for (i = 0; i < frames; i++) {
    file = sprintf("%s/%05d.svg", dir, i)
    print "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"640\" height=\"480\">" > file
    print "<defs><filter id=\"soft\"><feGaussianBlur stdDeviation=\"0.8\"/></filter></defs>" > file
    print "<rect width=\"640\" height=\"480\" fill=\"#b9bcb8\"/>" > file
    print "<rect width=\"640\" height=\"110\" fill=\"#a8806a\"/>" > file
    for (w = 0; w < 6; w++)
      printf "<rect x=\"%d\" y=\"30\" width=\"60\" height=\"40\" fill=\"#5a5048\"/>\n", 30 + w * 105 > file
    print "<rect y=\"400\" width=\"640\" height=\"80\" fill=\"#6f8a58\"/>" > file
    step = i * 0.25
    printf "%s", person(120 + i * 2, 300, 110, step, "#1c1c22", "#23263a") > file
    printf "%s", person(520 - i * 2, 370, 130, step + 1.5, "#26201e", "#1d1f26") > file
    print "</svg>" > file
    close(file)
  }
}'

gst-launch-1.0 -q multifilesrc location="$dir/%05d.svg" start-index=0 stop-index=$((frames - 1)) \
  caps=image/svg+xml,framerate=25/1 ! rsvgdec ! videoconvert ! video/x-raw,format=I420 \
  ! x264enc speed-preset=veryfast key-int-max=25 ! h264parse ! mp4mux ! filesink location="$out"
