# SPDX-License-Identifier: Apache-2.0
"""Little memory: in a control group TPC-H is loaded, asked, maintained and changed, and the kernel
kills nothing.

By default scale 0.1 in 256 MiB; AP_SOAK=1 takes scale 1 in
512 MiB, and in 256 MiB, where a statement may fail alone for want of memory. Peaks are printed
(pytest -s). Skipped, with the reason, where no group can be made.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import memory_group
import pytest
import tpc

SOAK = os.environ.get("AP_SOAK", "0") not in ("", "0")
MIB = 1 << 20

# Runs in the group: answers are compared outside, by plain DuckDB over the same files.
PROGRAM = """
import sys, time
from pathlib import Path
import apiary, pyarrow.parquet as pq
sys.path.insert(0, sys.argv[1])
import tpc
storage, folder, strict = sys.argv[2], Path(sys.argv[3]), sys.argv[4] == "strict"
ap = apiary.Apiary("small", storage)
ap.start()
box = ap.create_hive("tpch").create_box("small")

def run(name, text):
    began = time.monotonic()
    try:
        answer = ap.sql(text)
        print(name, f"{time.monotonic() - began:.1f} s", flush=True)
        return answer
    except apiary.MemoryExceeded as error:
        print(name, "MemoryExceeded:", error, flush=True)
        if strict:
            raise
        assert ap.sql("SELECT 42 AS n").fetchall() == [(42,)]

for path in sorted(folder.glob("*.parquet")):
    box.create_frame(path.stem, pq.read_schema(path))
    run("load " + path.stem, f"COPY tpch.small.{path.stem} FROM '{path}'")
ap.sql("USE tpch.small")
for name, text in tpc.queries("tpch"):
    run(name, text)
run("optimize", "OPTIMIZE lineitem FULL")
run("zorder", "OPTIMIZE lineitem ZORDER BY (l_partkey, l_shipdate)")
run("zorder of one", "OPTIMIZE lineitem ZORDER BY l_shipmode")
run("delete", "DELETE FROM lineitem WHERE l_orderkey % 10 = 3")
run("update", "UPDATE lineitem SET l_tax = l_tax + 1 WHERE l_orderkey % 10 = 4")
run("merge", "MERGE INTO orders USING (SELECT * FROM orders WHERE o_orderkey % 20 = 1) AS s "
    "ON orders.o_orderkey = s.o_orderkey WHEN MATCHED THEN UPDATE SET o_shippriority = 7")
for text in (
    "SELECT count(*), sum(l_tax), sum(l_extendedprice), count(DISTINCT l_comment) FROM lineitem",
    "SELECT count(*), sum(o_shippriority), sum(o_totalprice) FROM orders",
):
    print("answer", *run("sums", text).fetchall()[0], flush=True)
"""

SUMS = (
    """SELECT count(*), sum(l_tax + CASE WHEN l_orderkey % 10 = 4 THEN 1 ELSE 0 END),
              sum(l_extendedprice), count(DISTINCT l_comment)
       FROM lineitem WHERE l_orderkey % 10 <> 3""",
    """SELECT count(*), sum(CASE WHEN o_orderkey % 20 = 1 THEN 7 ELSE o_shippriority END),
              sum(o_totalprice)
       FROM orders""",
)


def run_in(limit_mib: int, scale: str, tmp_path: Path, strict: bool) -> memory_group.Outcome:
    parent, reason = memory_group.find_parent()
    if parent is None:
        pytest.skip(f"no control group of little memory can be made: {reason}")
    folder = tpc.generate("tpch", scale, tmp_path / "tpch")
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    with memory_group.Group(limit_mib * MIB) as group:
        command = [sys.executable, str(program), str(Path(__file__).parent)]
        command += [str(tmp_path / "storage"), str(folder), "strict" if strict else "lenient"]
        outcome = group.run(command, 3600)
    print(outcome.output)
    print(
        f"{limit_mib} MiB: peak {outcome.peak_bytes / MIB:.0f} MiB with files, "
        f"{outcome.peak_rss_bytes / MIB:.0f} MiB without; killed {outcome.killed}"
    )
    assert outcome.killed == 0 and outcome.returncode == 0, outcome.output
    if strict:
        plain = tpc.connect(folder)
        wanted = [" ".join(["answer", *map(str, plain.sql(t).fetchall()[0])]) for t in SUMS]
        assert [x for x in outcome.output.splitlines() if x.startswith("answer")] == wanted
    return outcome


@pytest.mark.timeout(3900 if SOAK else 300)
def test_everything_finishes(tmp_path: Path) -> None:
    outcome = run_in(*((512, "1") if SOAK else (256, "0.1")), tmp_path, strict=True)
    assert outcome.peak_rss_bytes <= (512 if SOAK else 256) * MIB


@pytest.mark.skipif(not SOAK, reason="AP_SOAK=1 runs scale 1 in 256 MiB")
@pytest.mark.timeout(3900)
def test_it_finishes_or_fails_alone(tmp_path: Path) -> None:
    run_in(256, "1", tmp_path, strict=False)
