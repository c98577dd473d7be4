#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Build and run every test, and close with one line: N passed, N failed.

    tools/test.py [c] [python] [spark] [acceptance] [checks] [--preset P] [--rounds N]

Without names, every part runs. A part that fails does not keep the next from running; a part that
cannot be fetched, built, started or read counts as one failure. Skipped tests count as neither and
are shown. The exit status is 0 only when nothing failed. Standard library only.
"""

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REPORTS = ROOT / "build" / "reports"
PYTHON = ROOT / ".venv" / "bin" / "python"
ACCEPTANCE = ROOT.parent / "shared" / "acceptance" / "run_blocks.py"
ACCEPTANCE_BLOCKS = ("apiary-01", "arrowshelf-*")
PARTS = ("c", "python", "spark", "acceptance", "checks")
PART_SECONDS_MAX = 1800
SANITIZER_SETTINGS = {
    "asan": {
        "ASAN_OPTIONS": "detect_stack_use_after_return=1:strict_string_checks=1",
        "LSAN_OPTIONS": "suppressions=%s" % (ROOT / "tools" / "leaks.supp"),
        "UBSAN_OPTIONS": "print_stacktrace=1",
    },
    "tsan": {"TSAN_OPTIONS": "suppressions=%s" % (ROOT / "tools" / "threads.supp")},
}


class Outcome:
    """What one part came to."""

    def __init__(self, name):
        self.name = name
        self.passed = 0
        self.skipped = 0
        self.failures = []
        self.seconds = 0.0

    def fail(self, what):
        self.failures.append(what)

    def line(self):
        skipped = ", %d skipped" % self.skipped if self.skipped else ""
        return "%-12s %5d passed, %d failed%s  (%.0f s)" % (
            self.name,
            self.passed,
            len(self.failures),
            skipped,
            self.seconds,
        )


def run(command, **environment):
    """Run a command with its output shown; its status, or 124 when it ran too long."""
    words = [str(word) for word in command]
    settings = dict(os.environ, **environment)
    sys.stdout.flush()
    try:
        process = subprocess.Popen(words, cwd=str(ROOT), env=settings, start_new_session=True)
    except OSError as error:
        print("cannot run %s: %s" % (words[0], error))
        return 127
    try:
        return process.wait(timeout=PART_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        print("%s took more than %d s: ended" % (words[0], PART_SECONDS_MAX))
        return 124
    finally:
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


# ------------------------------------------------------------------------------------ reports


def read_junit(path, outcome):
    """Add the cases of a JUnit report (of ctest or pytest); False where it cannot be read."""
    try:
        cases = list(ElementTree.parse(str(path)).getroot().iter("testcase"))
    except (OSError, ElementTree.ParseError):
        return False
    for case in cases:
        name = case.get("name", "?")
        if case.get("classname") not in (None, "", name):
            name = "%s: %s" % (case.get("classname"), name)
        skipped = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            outcome.fail(name)
        elif skipped is None:
            outcome.passed += 1
        elif case.get("status") == "notrun" and "SKIP_" not in skipped.get("message", ""):
            outcome.fail(name + " (not run: %s)" % skipped.get("message", ""))
        else:
            outcome.skipped += 1
    return True


def judge(status, report, outcome, what, accepted=(0,)):
    """Add a report, and one failure more where the program's status is not explained by it."""
    before = len(outcome.failures)
    if not read_junit(report, outcome):
        outcome.fail("%s left no report (status %d)" % (what, status))
    elif status not in accepted and len(outcome.failures) == before:
        outcome.fail("%s ended with status %d" % (what, status))


def fresh_report(name):
    REPORTS.mkdir(parents=True, exist_ok=True)
    path = REPORTS / name
    if path.exists():
        path.unlink()
    return path


# -------------------------------------------------------------------------------------- parts


def workers():
    return max(2, min(8, os.cpu_count() or 2))


def build(preset, outcome):
    folder = ROOT / "build" / preset
    if run(["cmake", "--preset", preset, "--log-level=WARNING"]) != 0:
        outcome.fail("configure %s" % preset)
        return
    jobs = ["-j", str(os.cpu_count() or 2)]
    if run(["cmake", "--build", folder] + jobs + ["--", "-k", "0", "--quiet"]) != 0:
        outcome.fail("build %s" % preset)


def test_c(outcome, options):
    build(options.preset, outcome)
    folder = ROOT / "build" / options.preset
    command = ["ctest", "--test-dir", folder, "-j", str(workers()), "--output-on-failure"]
    settings = dict(SANITIZER_SETTINGS.get(options.preset, {}))
    for number in range(options.rounds):
        if options.rounds > 1:
            settings["AP_TEST_SEED"] = str(random.SystemRandom().randrange(1, 1 << 32))
            print("round %d: AP_TEST_SEED=%s" % (number + 1, settings["AP_TEST_SEED"]))
        report = fresh_report("c-%s.xml" % options.preset)
        status = run(command + ["--output-junit", report], **settings)
        judge(status, report, outcome, "ctest")


def pytest(outcome, name, arguments, accepted=(0,)):
    report = fresh_report(name + ".xml")
    command = [PYTHON, "-m", "pytest", "-q", "--junit-xml", report]
    judge(run(command + arguments), report, outcome, name, accepted)


def test_python(outcome, options):
    if not (ROOT / "python" / "pyproject.toml").exists():
        return
    if run(["make", "install"]) != 0:
        outcome.fail("install the Python package")
        return
    if any((ROOT / "tests").rglob("test_*.py")):
        flags = ["-n", str(workers()), "--ignore", "tests/spark", "tests"]
        pytest(outcome, "python", flags)
    packages = sorted(p.parent for p in (ROOT / "python" / "src").glob("*/__init__.py"))
    if packages:
        # Status 5: there is no example in any docstring.
        pytest(outcome, "doctests", ["--doctest-modules"] + packages, (0, 5))


def test_spark(outcome, options):
    if not any((ROOT / "tests").glob("spark/test_*.py")):
        return
    if shutil.which("java") is None:
        print("no Java here: the Spark tests are left out")
        return
    if run(["make", "spark-deps"]) != 0:
        outcome.fail("fetch Spark")
        return
    pytest(outcome, "spark", ["tests/spark"])


def test_acceptance(outcome, options):
    if not ACCEPTANCE.exists():
        return
    report = fresh_report("acceptance.json")
    only = [word for block in ACCEPTANCE_BLOCKS for word in ("--only", block)]
    command = [PYTHON, ACCEPTANCE, "--python", PYTHON, "--json", report]
    status = run(command + only)
    try:
        results = json.loads(report.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        outcome.fail("the acceptance blocks left no report (status %d)" % status)
        return
    for result in results["results"] if isinstance(results, dict) else results:
        if result["status"] == "PASS":
            outcome.passed += 1
        elif result["status"] != "ILLUSTRATIVE":
            outcome.fail("%(id)s: %(reason)s" % result)


def test_checks(outcome, options):
    """The checks of the tree, after the tests that each check can fail."""
    pytest(outcome, "tools", sorted(ROOT.glob("tools/*_test.py")))
    report = fresh_report("checks.json")
    status = run([PYTHON, "tools/check.py", "--json", report])
    try:
        results = json.loads(report.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        outcome.fail("tools/check.py left no report (status %d)" % status)
        return
    outcome.passed += sum(1 for count in results.values() if count == 0)
    for name, count in sorted(results.items()):
        if count:
            outcome.fail("check %s: %d places" % (name, count))


# --------------------------------------------------------------------------------------- all


def timed(name, function, options):
    outcome = Outcome(name)
    print("\n== %s" % name, flush=True)
    start = time.monotonic()
    try:
        function(outcome, options)
    except Exception as error:  # one broken part must not hide what the others found
        outcome.fail("%s broke off: %r" % (name, error))
    outcome.seconds = time.monotonic() - start
    return outcome


def fetch(outcome, options):
    groups = ["core"] if options.parts == ["c"] else ["core", "development"]
    if run([sys.executable, "tools/fetch.py"] + groups) != 0:
        outcome.fail("fetch the dependencies")


def main(arguments):
    parser = argparse.ArgumentParser(description="Build and run every test.")
    parser.add_argument("parts", nargs="*", help="of: %s (all)" % ", ".join(PARTS))
    parser.add_argument("--preset", default="dev", help="the CMake preset of the C tests")
    parser.add_argument("--rounds", type=int, default=1, help="run the C tests so often")
    options = parser.parse_args(arguments)
    for part in options.parts:
        if part not in PARTS:
            parser.error("no part '%s'; there are %s" % (part, ", ".join(PARTS)))
    os.chdir(str(ROOT))
    functions = globals()
    outcomes = [timed("fetch", fetch, options)]
    for part in PARTS:
        if not options.parts or part in options.parts:
            outcomes.append(timed(part, functions["test_" + part], options))
    failures = ["%s: %s" % (o.name, what) for o in outcomes for what in o.failures]
    print()
    for outcome in outcomes:
        print(outcome.line())
    for failure in failures:
        print("FAILED " + failure)
    print("%d passed, %d failed" % (sum(o.passed for o in outcomes), len(failures)), flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
