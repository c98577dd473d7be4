# SPDX-License-Identifier: Apache-2.0
"""Bank transfers by several processes, each with threads: no money comes or goes, at any version.

Method: each transfer is one UPDATE of two rows, so one version. Every writer is a process of its
own with two threads. At the end the sum is asked for at every version, and each balance is what the
transfers that were acknowledged make of it. AP_SOAK=1 runs 8 writers of 200 transfers.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from apiary import Apiary
from tables import SOAK

ACCOUNTS = 10
BALANCE = 1000

WRITER = """
import json, random, sys, threading
from apiary import Apiary
storage, number, transfers, seed = sys.argv[1], *map(int, sys.argv[2:])
done = []
def run(ap, thread, count):
    draw = random.Random(seed * 1000 + number * 10 + thread)
    for _ in range(count):
        payer, payee = draw.sample(range(10), 2)
        amount = draw.randint(1, 50)
        answer = ap.sql(
            "UPDATE bank.main.accounts SET balance = balance + CASE id WHEN ? THEN ? ELSE ? END"
            " WHERE id IN (?, ?)", [payer, -amount, amount, payer, payee]).fetchall()[0]
        assert answer[1] == 2, answer
        done.append((payer, payee, amount, answer[3]))
with Apiary("writer", storage) as ap:
    threads = [threading.Thread(target=run, args=(ap, t, transfers // 2)) for t in range(2)]
    [t.start() for t in threads]
    [t.join() for t in threads]
print(json.dumps(done))
"""


@pytest.mark.timeout(3600 if SOAK else 300)
def test_transfers_keep_the_sum_at_every_version(ap: Apiary, tmp_path: Path) -> None:
    writers, transfers = (8, 200) if SOAK else (3, 8)
    seed = int(os.environ.get("AP_SEED", time.time_ns() % 2**31))
    print(f"AP_SEED={seed}")
    ap.create_hive("bank").create_box("main")
    ap.sql("CREATE FRAME bank.main.accounts (id int64, balance int64)")
    ap.sql("INSERT INTO bank.main.accounts SELECT range, ? FROM range(?)", [BALANCE, ACCOUNTS])
    storage = str(tmp_path / "storage")
    begin = time.monotonic()
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, storage, str(n), str(transfers), str(seed)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for n in range(writers)
    ]
    told = [process.communicate(timeout=3600)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * writers
    done = [transfer for text in told for transfer in json.loads(text)]
    print(f"{len(done)} transfers in {time.monotonic() - begin:.1f} s")
    assert len(done) == writers * (transfers // 2) * 2
    assert sorted(version for *_, version in done) == list(range(2, 2 + len(done)))
    for version in range(1, 2 + len(done)):
        asked = f"SELECT count(*), sum(balance) FROM bank.main.accounts AT (VERSION => {version})"
        assert ap.sql(asked).fetchall() == [(ACCOUNTS, ACCOUNTS * BALANCE)], version
    expected = dict.fromkeys(range(ACCOUNTS), BALANCE)
    for payer, payee, amount, _ in done:
        expected[payer] -= amount
        expected[payee] += amount
    assert dict(ap.sql("FROM bank.main.accounts").fetchall()) == expected
