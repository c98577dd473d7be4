# SPDX-License-Identifier: Apache-2.0
"""A limit of what a statement may spill: who needs more fails alone and names the limit."""

from __future__ import annotations

from pathlib import Path

import apiary
import pytest

SORT = """SELECT count(*) FROM
          (SELECT sha256(i::VARCHAR) s, sha256((i + 1)::VARCHAR) t, sha256((i + 2)::VARCHAR) u
           FROM range({}) r(i) ORDER BY hash(i) LIMIT {}) WHERE t > s"""
LARGE = SORT.format(400_000, 390_000)
SMALL = SORT.format(1_000, 990)


def spilled(storage: Path) -> list[Path]:
    return [path for path in (storage / "_apiary" / "scratch").rglob("*") if path.is_file()]


@pytest.mark.parametrize("by_environment", [False, True])
def test_more_than_the_limit_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by_environment: bool
) -> None:
    storage = tmp_path / "storage"
    if by_environment:
        monkeypatch.setenv("APIARY_SCRATCH_SIZE", "8MiB")
    scratch = None if by_environment else "8MiB"
    with apiary.Apiary("tight", storage, memory="96MiB", bees=2, scratch=scratch) as ap:
        for _ in range(2):
            with pytest.raises(apiary.StorageError, match="8 MiB of scratch") as caught:
                ap.sql(LARGE)
            assert caught.value.code == "AP_NO_SPACE"
            assert caught.value.sqlstate == "53100"
            assert "APIARY_SCRATCH_SIZE" in caught.value.hint
            assert ap.sql(SMALL).num_rows == 1
            assert spilled(storage) == []
        assert ap.colony_status()["chambers_held"] == 0
    assert list((storage / "_apiary" / "scratch").iterdir()) == []  # though `caught` lives


def test_within_the_limit_it_is_spilled(tmp_path: Path) -> None:
    storage = tmp_path / "storage"
    with apiary.Apiary("wide", storage, memory="96MiB", bees=2, scratch="4GB") as ap:
        small = ap.sql(LARGE).fetchall()
    with apiary.Apiary("wide", storage, memory="2GB", bees=2) as ap:
        assert ap.sql(LARGE).fetchall() == small
    assert spilled(storage) == []


def test_a_limit_that_is_no_size_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APIARY_SCRATCH_SIZE", "much")
    with pytest.raises(apiary.ConfigError, match="APIARY_SCRATCH_SIZE is 'much'"):
        apiary.Apiary("odd", tmp_path / "storage").start()


def test_too_little_memory_says_what_there_was(tmp_path: Path) -> None:
    with apiary.Apiary("tight", tmp_path / "storage", memory="64MiB", bees=2) as ap:
        with pytest.raises(apiary.MemoryExceeded) as caught:
            ap.sql("SELECT length(string_agg(sha256(i::VARCHAR), ',')) FROM range(4000000) r(i)")
        error = caught.value
        assert error.budget and (8 << 20) < error.budget < (64 << 20)
        assert error.requested and error.requested > 0
        assert error.bee in {bee["bee_id"] for bee in ap.bee_status()}
        assert error.hint == "ask for less at once, or give the bees more memory"
        assert ap.sql("SELECT 42 AS n").fetchall() == [(42,)]
