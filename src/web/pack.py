#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Takes comments and the space that nothing needs out of a file of the page: pack.py IN OUT.

Lines of code stay lines, so an error's line can still be found by reading. A comment has its own lines, and
template literals end on the line they begin on; anything else is refused rather than broken.
"""

import re
import sys


def pack_style(css):
    css = re.sub(r"/\*.*?\*/", "", css, flags=re.S)
    # A rule is a line. Before a colon, a space means something in a selector, and stays.
    css = re.sub(r"\s*([{;,])\s*|(?<=:)\s+", r"\1", css)
    return re.sub(r";?\s*}\s*", "}\n", css)


def pack(text, kind):
    if kind == "js":
        for line in text.splitlines():
            if line.count("`") % 2:
                sys.exit(f"a template literal over several lines: {line}")
        # The licence stays at the top.
        licence, text = text.split("\n", 1)
        text = re.sub(r"^\s*/\*\*.*?\*/\s*$", "", text, flags=re.M | re.S)
        text = re.sub(r"^\s*//.*$", "", text, flags=re.M)
        text = licence + "\n" + text
    else:
        text = re.sub(r"<!--.*?-->", "", text, flags=re.S)
        style = re.compile(r"<style>.*?</style>", re.S)
        text = style.sub(lambda css: pack_style(css[0]), text)
    lines = (line.strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line) + "\n"


def main():
    source, target = sys.argv[1:]
    with open(source, encoding="utf-8") as file:
        packed = pack(file.read(), source.rsplit(".", 1)[-1])
    with open(target, "w", encoding="utf-8") as file:
        file.write(packed)


main()
