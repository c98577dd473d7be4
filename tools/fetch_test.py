# SPDX-License-Identifier: Apache-2.0
"""tools/fetch.py refuses what it did not pin, and fetches nothing twice.

A fake npm on the path hands out an archive made here and notes each call; nothing is contacted.
"""

import hashlib
import io
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
import fetch

FAKE_NPM = """#!/bin/sh
# npm pack --silent --pack-destination DIR NAME
echo "$5" >> %(folder)s/calls
cp %(folder)s/archive.tgz "$4"/package.tgz
"""


def zip_of(files):
    """The bytes of a zip archive with these files."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return stream.getvalue()


def archive_of(files):
    """The bytes of a .tgz with these files."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text))
    return stream.getvalue()


class Registry:
    """What the fake npm gives, and how often it was asked."""

    def __init__(self, folder):
        self.folder = folder
        self.into = folder / "into"
        self.into.mkdir()
        program = folder / "bin" / "npm"
        program.parent.mkdir()
        program.write_text(FAKE_NPM % {"folder": folder}, encoding="utf-8")
        program.chmod(0o755)

    def serve(self, files, make=archive_of):
        data = make(files)
        (self.folder / "archive.tgz").write_bytes(data)
        return hashlib.sha256(data).hexdigest()

    def calls(self):
        path = self.folder / "calls"
        return path.read_text(encoding="utf-8").split() if path.exists() else []

    def fetch(self, digest, take, group="extra"):
        entry = {"name": "thing", "kind": "npm", "package": "thing", "version": "1.0"}
        entry.update(sha256=digest, group=group, take=take)
        pins = {"archives": [entry], "debian": []}
        fetch.fetch_group(pins, group, self.into, self.folder / "venv")


@pytest.fixture
def registry(tmp_path, monkeypatch):
    made = Registry(tmp_path)
    venv.create(tmp_path / "venv", with_pip=False)
    monkeypatch.setattr(fetch, "ensure_venv", lambda folder: folder / "bin" / "python")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    return made


def test_a_pinned_archive_is_unpacked_once(registry):
    digest = registry.serve({"package/a.txt": b"one", "package/deep/b.txt": b"two"})
    take = {"a.txt": "thing/a.txt", "deep": "thing/all"}
    registry.fetch(digest, take)
    registry.fetch(digest, take)
    assert (registry.into / "thing" / "a.txt").read_bytes() == b"one"
    assert (registry.into / "thing" / "all" / "b.txt").read_bytes() == b"two"
    assert registry.calls() == ["thing@1.0"]


def test_a_zip_archive_is_unpacked_too(registry):
    digest = registry.serve({"package/a.txt": b"one", "package/deep/": b"", "b": b"no"}, zip_of)
    registry.fetch(digest, {"a.txt": "thing/a.txt"})
    assert [path.name for path in (registry.into / "thing").iterdir()] == ["a.txt"]
    climbing = registry.serve({"package/a/../../x": b"one"}, zip_of)
    with pytest.raises(fetch.FetchError, match="climbs"):
        registry.fetch(climbing, {"a": "thing/a"})


def test_a_lost_file_is_unpacked_again_without_fetching(registry):
    digest = registry.serve({"package/a.txt": b"one"})
    registry.fetch(digest, {"a.txt": "a.txt"})
    (registry.into / "a.txt").unlink()
    registry.fetch(digest, {"a.txt": "a.txt"})
    assert (registry.into / "a.txt").read_bytes() == b"one"
    assert registry.calls() == ["thing@1.0"]


def test_another_archive_than_the_pinned_one_is_refused(registry):
    registry.serve({"package/a.txt": b"other"})
    with pytest.raises(fetch.FetchError, match="refusing it"):
        registry.fetch("0" * 64, {"a.txt": "a.txt"})
    assert not (registry.into / "a.txt").exists()


def test_a_damaged_kept_archive_is_fetched_again(registry):
    digest = registry.serve({"package/a.txt": b"one"})
    registry.fetch(digest, {"a.txt": "a.txt"})
    (registry.into / "a.txt").unlink()
    (kept,) = (path for path in (registry.into / "archives").iterdir() if path.is_file())
    kept.write_bytes(b"damaged")
    registry.fetch(digest, {"a.txt": "a.txt"})
    assert (registry.into / "a.txt").read_bytes() == b"one"
    assert len(registry.calls()) == 2


def test_a_path_that_climbs_is_refused(registry):
    digest = registry.serve({"package/deep/../../../out.txt": b"evil"})
    with pytest.raises(fetch.FetchError, match="climbs"):
        registry.fetch(digest, {"deep": "thing"})


def test_missing_packages_are_named_where_they_may_not_be_installed(monkeypatch):
    monkeypatch.setattr(fetch, "install_prefix", lambda: None)
    pins = {"debian": [{"name": "nosuch-dev", "version": "1", "proof": "header:no/such.h"}]}
    with pytest.raises(fetch.FetchError, match=r"apt-get install .*nosuch-dev"):
        fetch.ensure_packages(pins, "core")


def test_an_own_duckdb_takes_the_place_of_the_fetched_one(registry, monkeypatch):
    monkeypatch.setenv("DUCKDB_ROOT", "/opt/duckdb")
    entry = {"name": "lib", "kind": "npm", "package": "lib", "version": "1", "sha256": "0" * 64}
    entry.update(group="core", unless="DUCKDB_ROOT", take={"lib.so": "lib.so"})
    pins = {"archives": [entry], "debian": []}
    fetch.fetch_group(pins, "core", registry.into, registry.folder / "venv")
    assert registry.calls() == []


def test_the_pins_are_whole():
    pins = fetch.load_pins()
    for entry in pins["archives"]:
        assert len(entry["sha256"]) == 64
        assert entry["version"]
        assert entry["take"]
    for entry in pins["development"]:
        assert entry["sha256"]
        assert all(len(value) == 64 for value in entry["sha256"])
    assert all(entry["version"] and entry["proof"] for entry in pins["debian"])
