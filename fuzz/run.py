#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Build every fuzz target with the address sanitizer and run each for some time.

    fuzz/run.py [--seconds N] [TARGET ...]

A target is the name of a folder in fuzz/corpus. An input that ends a target stays behind in
build/asan/fuzz/TARGET.input: run build/asan/fuzz/fuzz_TARGET with that file alone to see it again.
Standard library only.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "asan"
CORPUS = ROOT / "fuzz" / "corpus"


def build(targets: "list[str]") -> None:
    names = ["fuzz_%s" % target for target in targets]
    subprocess.run(["cmake", "--preset", "asan"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    subprocess.run(
        [
            "cmake",
            "--build",
            str(BUILD),
            "--parallel",
            str(os.cpu_count() or 1),
            "--target",
            *names,
        ],
        cwd=ROOT,
        check=True,
    )


def run(target: str, seconds: int) -> bool:
    """Whether the target survived."""
    kept = BUILD / "fuzz" / ("%s.input" % target)
    settings = {"LSAN_OPTIONS": "suppressions=%s" % (ROOT / "tools" / "leaks.supp")}
    command = [
        str(BUILD / "fuzz" / ("fuzz_%s" % target)),
        str(CORPUS / target),
        "--seconds",
        str(seconds),
        "--keep",
        str(kept),
    ]
    status = subprocess.run(command, env={**os.environ, **settings}).returncode
    if status == 0:
        return True
    print("%s ended with %d; the input is in %s" % (target, status, kept))
    return False


def main() -> int:
    known = sorted(path.name for path in CORPUS.iterdir() if path.is_dir())
    parser = argparse.ArgumentParser(description="Run the fuzz targets.")
    parser.add_argument("--seconds", type=int, default=60, help="for each target (60)")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(known))
    options = parser.parse_args()
    targets = options.targets or known
    unknown = sorted(set(targets) - set(known))
    if unknown:
        parser.error("no such target: %s; there are %s" % (", ".join(unknown), ", ".join(known)))
    build(targets)
    failed = [target for target in targets if not run(target, options.seconds)]
    print("%d targets passed, %d failed" % (len(targets) - len(failed), len(failed)))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
