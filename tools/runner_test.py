# SPDX-License-Identifier: Apache-2.0
"""The arithmetic of tools/test.py: what counts as passed, failed and skipped."""

import importlib.util
import sys
from pathlib import Path

import pytest

SPEC = importlib.util.spec_from_file_location("runner", Path(__file__).resolve().parent / "test.py")
runner = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(runner)

CTEST = """<testsuite name="x">
<testcase name="good" classname="good" status="run"/>
<testcase name="bad" classname="bad" status="fail"><failure message=""/></testcase>
<testcase name="gone" classname="gone" status="notrun">
  <skipped message="Unable to find executable"/></testcase>
<testcase name="left" classname="left" status="notrun">
  <skipped message="SKIP_RETURN_CODE=77"/></testcase>
</testsuite>"""
PYTEST = """<testsuites><testsuite name="pytest">
<testcase classname="tests.a" name="good"/>
<testcase classname="tests.a" name="left"><skipped type="pytest.skip" message="why"/></testcase>
<testcase classname="tests.a" name="bad"><failure message="no"/></testcase>
<testcase classname="tests.a" name="worse"><error message="no"/></testcase>
</testsuite></testsuites>"""


def judged(tmp_path, text, status, accepted=(0,)):
    report = tmp_path / "report.xml"
    if text is not None:
        report.write_text(text, encoding="utf-8")
    outcome = runner.Outcome("part")
    runner.judge(status, report, outcome, "tool", accepted)
    return outcome.passed, outcome.failures, outcome.skipped


def test_a_ctest_report(tmp_path):
    failures = ["bad", "gone (not run: Unable to find executable)"]
    assert judged(tmp_path, CTEST, 8) == (1, failures, 1)


def test_a_pytest_report(tmp_path):
    assert judged(tmp_path, PYTEST, 1) == (1, ["tests.a: bad", "tests.a: worse"], 1)


@pytest.mark.parametrize("text", [None, "<testsuite><testcase"])
def test_no_readable_report_is_a_failure(tmp_path, text):
    assert judged(tmp_path, text, 0) == (0, ["tool left no report (status 0)"], 0)


def test_a_status_that_no_case_explains_is_a_failure(tmp_path):
    good = '<testsuite><testcase name="good" classname="good" status="run"/></testsuite>'
    assert judged(tmp_path, good, 3) == (1, ["tool ended with status 3"], 0)
    assert judged(tmp_path, good, 0) == (1, [], 0)
    assert judged(tmp_path, good, 5, (0, 5)) == (1, [], 0)


def test_a_part_that_breaks_off_is_a_failure():
    def broken(outcome, options):
        raise OSError("gone")

    outcome = runner.timed("part", broken, None)
    assert outcome.failures == ["part broke off: OSError('gone')"]


def test_a_program_that_runs_too_long_is_ended(monkeypatch):
    monkeypatch.setattr(runner, "PART_SECONDS_MAX", 0.1)
    assert runner.run([sys.executable, "-c", "import time; time.sleep(60)"]) == 124


def test_an_absent_program_is_reported():
    assert runner.run(["no-such-program-here"]) == 127


@pytest.mark.parametrize(("failed", "line"), [(0, "2 passed, 0 failed"), (1, "2 passed, 1 failed")])
def test_the_last_line_counts_everything(monkeypatch, capsys, failed, line):
    def part(outcome, options):
        outcome.passed += 1
        for number in range(failed):
            outcome.fail("case %d" % number)

    monkeypatch.setattr(runner, "fetch", lambda outcome, options: None)
    monkeypatch.setattr(runner, "test_c", part)
    monkeypatch.setattr(runner, "test_checks", lambda o, p: setattr(o, "passed", 1))
    assert runner.main(["c", "checks"]) == (1 if failed else 0)
    assert capsys.readouterr().out.split("\n")[-2] == line
