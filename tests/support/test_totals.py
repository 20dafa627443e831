#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Adds up the test cases of several `meson test` runs.
#
#   test_totals.py [--failed-step NAME]... LOGBASE...
#
# LOGBASE is a log without its suffixes, such as build/meson-logs/testlog. GoogleTest cases and TAP's count one each, out
# of LOGBASE.junit.xml; what a test did as a whole comes from LOGBASE.json, because a test that crashed, timed out or leaked
# has all its cases passed in the XML, or no XML at all. LOGBASE.status holds what `meson test` itself ended with: when it
# died, its logs tell of some tests only. A log that is missing, such an end, and each --failed-step, is one failure.
# The last line is "N passed, N failed" (", N skipped"); the exit status is 0 only if nothing failed and something passed.

import argparse
import json
import os
import sys
import xml.etree.ElementTree as ElementTree

GOOD = ("OK", "EXPECTEDFAIL")


class Run:
    """The cases of one `meson test`, as (test, case) names."""

    def __init__(self, logbase):
        self.passed, self.failed, self.skipped = 0, [], []
        try:
            with open(logbase + ".json", encoding="utf-8", errors="replace") as log:
                tests = [json.loads(line) for line in log if line.strip()]
            cases = self.read_cases(logbase + ".junit.xml", [test["name"] for test in tests])
            with open(logbase + ".status", encoding="ascii") as file:
                status = int(file.read())
        except FileNotFoundError:
            self.failed.append(("", "did not run: it has left no log"))
            return
        except (OSError, ValueError, ElementTree.ParseError) as error:
            self.failed.append(("", "did not run: %s" % error))
            return
        if not tests:
            self.failed.append(("", "ran no test"))
        for test in tests:
            self.add(test, cases.get(test["name"], []))
        if status != 0 and not self.failed:
            self.failed.append(("", "ended with status %d, though no test has failed" % status))

    @staticmethod
    def read_cases(path, tests):
        """{test name: [(case name, "passed" | "failed" | "skipped")]} of the tests that wrote an XML themselves."""
        result = {}
        for suite in ElementTree.parse(path).getroot().iter("testsuite"):
            # Meson names the suite PROJECT.TEST.SUITE, and PROJECT.TEST for TAP; tests without cases of their own are all
            # in one named PROJECT.
            whole = suite.get("name", "") + "."
            test = max((t for t in tests if ".%s." % t in whole), key=len, default=None)
            if test is None:
                continue
            for case in suite.iter("testcase"):
                # A failure outside all cases, in the global set-up or tear-down, is a case without a name.
                parts = [part for part in (case.get("classname"), case.get("name")) if part]
                if parts[:1] == [suite.get("name")]:
                    parts = parts[1:]  # TAP has no classes.
                name = ".".join(parts) or "outside its cases"
                if case.find("failure") is not None or case.find("error") is not None:
                    outcome = "failed"
                elif case.find("skipped") is not None or case.get("status") == "notrun":
                    outcome = "skipped"
                else:
                    outcome = "passed"
                result.setdefault(test, []).append((name, outcome))
        return result

    def add(self, test, cases):
        name, outcome = test["name"], test["result"]
        failed = [(name, case) for case, result in cases if result == "failed"]
        self.failed += failed
        self.skipped += [(name, case) for case, result in cases if result == "skipped"]
        self.passed += sum(result == "passed" for _, result in cases)
        if outcome == "SKIP":
            if not cases:
                self.skipped.append((name, "all of it"))
        elif outcome not in GOOD:
            if not failed:
                self.failed.append((name, "%s (exit status %s)" % (outcome, test.get("returncode"))))
        elif not cases:
            self.passed += 1


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--failed-step", action="append", default=[])
    parser.add_argument("logbase", nargs="*")
    arguments = parser.parse_args()

    passed, failed, skipped = 0, [], []
    for logbase in arguments.logbase:
        run = Run(logbase)
        print("%s: %d passed, %d failed, %d skipped"
              % (os.path.relpath(logbase), run.passed, len(run.failed), len(run.skipped)))
        passed += run.passed
        failed += [(logbase,) + item for item in run.failed]
        skipped += [(logbase,) + item for item in run.skipped]

    for logbase, test, case in skipped:
        print("SKIPPED %s: %s" % (test, case))
    for logbase, test, case in failed:
        print("FAILED  %s (%s)" % (": ".join(filter(None, (test, case))), os.path.relpath(logbase)))
    for step in arguments.failed_step:
        print("FAILED  %s" % step)

    total = "%d passed, %d failed" % (passed, len(failed) + len(arguments.failed_step))
    if skipped:
        total += ", %d skipped" % len(skipped)
    print(total)
    sys.exit(0 if passed and not failed and not arguments.failed_step else 1)


main()
