#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes a file of the page what is served: pack.py IN OUT DEPFILE.

A script that passes on what modules in a folder below have becomes one script (bundle.py). Comments and the space that
nothing needs are left out.

Lines of code stay lines, so an error's line can still be found by reading. A comment has its own lines, and
template literals end on the line they begin on; anything else is refused rather than broken.
"""

import re
import sys

sys.dont_write_bytecode = True  # Not into the sources.
from bundle import bundle  # noqa: E402


def pack_style(css):
    css = re.sub(r"/\*.*?\*/", "", css, flags=re.S)
    # A rule is a line. Before a colon, a space means something in a selector, and stays.
    css = re.sub(r"\s*([{;,])\s*|(?<=:)\s+", r"\1", css)
    return re.sub(r";?\s*}\s*", "}\n", css)


def pack_code(line):
    # A comment behind code that has no string and no regular expression, in which that may be anything else; and only
    # there, the space around what needs none.
    line = re.sub(r"^([^\"'`/]*?) *//.*", r"\1", line)
    if re.search(r"[\"'`/]", line):
        return line
    return re.sub(r" *(=>|[!=]==|\?\?=?|&&|\|\||[=,;:?<>*(){}\[\]]) *", r"\1", line)


def pack(text, kind):
    if kind == "js":
        for line in text.splitlines():
            if line.count("`") % 2:
                sys.exit(f"a template literal over several lines: {line}")
        # The licence stays at the top.
        licence, text = text.split("\n", 1)
        text = re.sub(r"^\s*/\*\*.*?\*/\s*$", "", text, flags=re.M | re.S)
        text = re.sub(r"^\s*//.*$", "", text, flags=re.M)
    else:
        text = re.sub(r"<!--.*?-->", "", text, flags=re.S)
        style = re.compile(r"<style>.*?</style>", re.S)
        text = style.sub(lambda css: pack_style(css[0]), text)
    lines = (line.strip() for line in text.splitlines())
    if kind == "js":
        lines = [licence, *map(pack_code, lines)]
    return "\n".join(line for line in lines if line) + "\n"


def main():
    source, target, depfile = sys.argv[1:]
    kind = source.rsplit(".", 1)[-1]
    if kind == "js":
        text, sources = bundle(source)
    else:
        sources = [source]
        with open(source, encoding="utf-8") as file:
            text = file.read()
    with open(target, "w", encoding="utf-8") as file:
        file.write(pack(text, kind))
    with open(depfile, "w", encoding="utf-8") as file:
        file.write(f"{target}: {' '.join(sources)}\n")


main()
