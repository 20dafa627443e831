# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes one script of a script that passes on what modules in a folder below it have.

All of them become one scope, each module after those that it takes from. That is safe for modules that take and give
names as they are, and in which no name is there twice; anything else is refused rather than broken.
"""

import os
import re
import sys

LICENCE = "// SPDX-License-Identifier: LGPL-2.1-or-later\n"
NAMES_FROM = r"\{((?:\s*\w+\s*,)*\s*\w*\s*)\} from '(\./[\w./]+)';\n"
IMPORT = re.compile(r"^import " + NAMES_FROM, re.M)
PASSED_ON = re.compile(r"^export " + NAMES_FROM, re.M)
DECLARATION = re.compile(r"^(export )?(?:const|let|class|function|async function\*?|function\*) (\w+)", re.M)
# What has no indentation and is none of the above, nor the rest of it.
OTHER = re.compile(r"^(?!const \w|let \w|class |function\b|async function\b|//|/\*\*|[\])}])\S.*", re.M)
# A file beside the script, by where its module is. In the one script it is where the script is.
BESIDE = re.compile(r"new URL\('(\.[\w./]+)', import\.meta\.url\)")
COMMENT = re.compile(r"^\s*(?:/\*\*.*?\*/|//[^\n]*)\n", re.M | re.S)


def names_in(braces):
    return braces.replace(",", " ").split()


class Bundle:
    def __init__(self, path):
        self._folder = os.path.dirname(path)
        self.sources = []
        self._texts = []
        self._exports = {}  # By module; None while what it takes is looked at.
        self._owners = {}  # By name.

    def add(self, path):
        """Puts a module in, behind what it takes from others. Gives the names that it exports."""
        if path in self._exports:
            if self._exports[path] is None:
                sys.exit(f"{path}: takes from itself, by way of another module")
            return self._exports[path]
        self._exports[path] = None
        self.sources.append(path)
        with open(path, encoding="utf-8") as file:
            text = file.read().removeprefix(LICENCE)
        for braces, other in IMPORT.findall(text):
            self.take(path, names_in(braces), other)
        text = IMPORT.sub("", text)
        self._exports[path] = []
        for exported, name in DECLARATION.findall(text):
            if self._owners.setdefault(name, path) != path:
                sys.exit(f"{path}: {name} is in {self._owners[name]} as well")
            if exported:
                self._exports[path].append(name)
        text = re.sub(r"^export (?=const|let|class|function|async)", "", text, flags=re.M)
        code = BESIDE.sub("", COMMENT.sub("", text))
        other = OTHER.search(code) or re.search(r".*\bimport\b.*", code)
        if other:
            sys.exit(f"{path}: this cannot be put into one script: {other[0]}")
        self._texts.append(BESIDE.sub(lambda url: self.beside(path, url[1]), text))
        return self._exports[path]

    def beside(self, path, other):
        target = os.path.normpath(os.path.join(os.path.dirname(path), other))
        if not os.path.isfile(target):
            sys.exit(f"{path}: there is no {other}")
        return f"new URL('./{os.path.relpath(target, self._folder or '.')}', import.meta.url)"

    def take(self, path, names, other):
        exports = self.add(os.path.normpath(os.path.join(os.path.dirname(path), other)))
        for name in names:
            if name not in exports:
                sys.exit(f"{path}: there is no {name} in {other}")

    def text(self, exports):
        return LICENCE + "".join(self._texts) + f"\nexport {{ {', '.join(exports)} }};\n"


def bundle(path):
    """The text of a script, in one piece, and the files that it was made of."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    passed_on = PASSED_ON.findall(text)
    if not passed_on:
        return text, [path]
    rest = COMMENT.sub("", PASSED_ON.sub("", text)).strip()
    if rest:
        sys.exit(f"{path}: passes on names, and has something else: {rest}")
    made = Bundle(path)
    exports = []
    for braces, other in passed_on:
        names = names_in(braces)
        made.take(path, names, other)
        exports += names
    return made.text(exports), [path, *made.sources]
