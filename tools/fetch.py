#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fetch every pinned dependency, as tools/dependencies.json lists them.

    tools/fetch.py [core] [development] [spark] [--into DIR] [--venv DIR]

core          what the library is built from: Debian packages, DuckDB, nanoarrow -> build/deps
development   the Python tools and peers that the tests use                      -> .venv
spark         Spark with Delta, for the interoperation tests (needs Java)        -> build/deps/spark

Archives come by the package clients only (npm, pip, mvn), which respect the user's own settings;
each is checked against its SHA-256 before anything is unpacked. A part that stands already is left
alone: a second run fetches nothing. DUCKDB_ROOT, a folder with duckdb.h and libduckdb.so, takes the
place of the DuckDB library. Standard library only.
"""

import argparse
import concurrent.futures
import fcntl
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / "tools"
PINS = TOOLS / "dependencies.json"
GROUPS = ("core", "development", "spark")
HEADER_FOLDERS = ("/usr/include", "/usr/local/include", "/opt/local/include")


class FetchError(Exception):
    """Something is missing; the message says what, and what to do."""


def say(text):
    print("fetch: " + text, flush=True)


def run(command, **settings):
    """Run a package client; its output is shown only where it fails."""
    done = subprocess.run(
        [str(word) for word in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **settings,
    )
    if done.returncode != 0:
        shown = " ".join(str(word) for word in command)
        raise FetchError(
            "'%s' failed with status %d:\n%s" % (shown, done.returncode, done.stdout[-3000:])
        )
    return done.stdout


def succeeds(command):
    try:
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return subprocess.run(command, stdin=subprocess.DEVNULL, **quiet).returncode == 0
    except OSError:
        return False


# ------------------------------------------------------------------------------------- stamps


def digest_of(*parts):
    text = json.dumps(parts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def stands(stamp, digest, outputs):
    """Whether a part was finished with this digest, and its outputs are all still there."""
    try:
        same = stamp.read_text(encoding="utf-8").strip() == digest
    except OSError:
        return False
    return same and all(output.exists() for output in outputs)


def sha256_of(path):
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        for piece in iter(lambda: stream.read(1 << 20), b""):
            digest.update(piece)
    return digest.hexdigest()


# ---------------------------------------------------------------------------- Debian packages


def proved(proof):
    """Whether what a package is needed for is there, wherever it came from."""
    kind, _, value = proof.partition(":")
    if kind == "command":
        return shutil.which(value) is not None
    if kind == "pkg-config":
        return succeeds(["pkg-config", "--exists", value])
    if kind == "header":
        return any((Path(folder) / value).exists() for folder in HEADER_FOLDERS)
    if value == "ensurepip":
        return succeeds([find_python(), "-c", "import ensurepip, venv"])
    if value == "headers":
        program = (
            "import os, sysconfig, sys;"
            "sys.exit(not os.path.exists(sysconfig.get_path('include') + '/Python.h'))"
        )
        return succeeds([find_python(), "-c", program])
    raise FetchError("%s: unknown proof '%s'" % (PINS.name, proof))


def install_prefix():
    """How this user may run apt-get: [] as root, ['sudo', '-n'], or None when not at all."""
    if shutil.which("apt-get") is None:
        return None
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") and succeeds(["sudo", "-n", "true"]):
        return ["sudo", "-n"]
    return None


def packages_of(pins, group):
    return [entry for entry in pins["debian"] if entry.get("group", "core") == group]


def ensure_packages(pins, group):
    wanted = packages_of(pins, group)
    missing = [entry["name"] for entry in wanted if not proved(entry["proof"])]
    if not missing:
        return
    prefix = install_prefix()
    how = "apt-get install --no-install-recommends " + " ".join(missing)
    if prefix is None:
        raise FetchError(
            "these Debian packages are missing: %s\nInstall them with:  sudo %s"
            % (" ".join(missing), how)
        )
    say("installing Debian packages: " + " ".join(missing))
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    command = prefix + ["apt-get", "install", "-y", "-q", "--no-install-recommends"] + missing
    try:
        run(command, env=environment)
    except FetchError:
        run(prefix + ["apt-get", "update", "-q"], env=environment)
        run(command, env=environment)
    still = [entry["name"] for entry in wanted if not proved(entry["proof"])]
    if still:
        raise FetchError(
            "installed, yet what they are for is still not found: %s" % " ".join(still)
        )


# ------------------------------------------------------------------------------ Python and venv


def find_python():
    """A Python that is new enough for the development tools."""
    minimum = tuple(load_pins()["python"]["minimum"])
    if sys.version_info[:2] >= minimum:
        return sys.executable
    for minor in range(minimum[1], minimum[1] + 8):
        found = shutil.which("python%d.%d" % (minimum[0], minor))
        if found:
            return found
    raise FetchError(
        "the development tools need Python %d.%d or newer; this is %s"
        % (minimum + (platform.python_version(),))
    )


def ensure_venv(venv):
    python = venv / "bin" / "python"
    if not succeeds([str(python), "-c", "import pip"]):
        say("making %s" % venv)
        run([find_python(), "-m", "venv", "--clear", str(venv)])
    return python


def pip_environment(**more):
    return dict(os.environ, PIP_DISABLE_PIP_VERSION_CHECK="1", PIP_NO_INPUT="1", **more)


def fetch_development(pins, venv):
    entries = pins["development"]
    stamp = venv / ".fetched"
    digest = digest_of(entries)
    if stands(stamp, digest, [venv / "bin" / "python", venv / "bin" / "pytest"]):
        return
    python = ensure_venv(venv)
    say("installing %d Python packages" % len(entries))
    with tempfile.TemporaryDirectory() as folder:
        listing = Path(folder) / "requirements.txt"
        with open(listing, "w", encoding="utf-8") as stream:
            for entry in entries:
                hashes = " ".join("--hash=sha256:" + value for value in entry["sha256"])
                stream.write("%s==%s %s\n" % (entry["name"], entry["version"], hashes))
        command = [python, "-m", "pip", "install", "-q", "--no-deps", "--require-hashes"]
        run(command + ["-r", listing], env=pip_environment())
    stamp.write_text(digest + "\n", encoding="utf-8")


# -------------------------------------------------------------------------------------- archives


def with_backend(entry, folder):
    """The environment and flags with which pip reads metadata without building (see
    metadata_backend.py)."""
    if "backend" not in entry:
        return pip_environment(), []
    *packages, module = entry["backend"].split(".")
    place = folder / "backend"
    for package in packages:
        place = place / package
        place.mkdir(parents=True)
        (place / "__init__.py").write_text("", encoding="utf-8")
    place.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(TOOLS / "metadata_backend.py", place / (module + ".py"))
    return pip_environment(PYTHONPATH=str(folder / "backend")), ["--no-build-isolation"]


def download(pins, entry, python, folder):
    """Have the package client put the archive into an empty folder; return its path."""
    arrived = folder / "arrived"
    arrived.mkdir()
    if entry["kind"] == "npm":
        name = "%s@%s" % (entry["package"], entry["version"])
        run(["npm", "pack", "--silent", "--pack-destination", arrived, name], cwd=str(folder))
    elif entry["kind"] == "pypi":
        environment, flags = with_backend(entry, folder)
        command = [python, "-m", "pip", "download", "-q", "--no-deps", "-d", arrived]
        name = "%s==%s" % (entry["package"], entry["version"])
        flags = flags + ["--use-pep517", "--no-binary", entry["package"], name]
        run(command + flags, env=environment)
    elif entry["kind"] == "maven":
        name = "%s:%s" % (entry["package"], entry["version"])
        settings = ["-Dartifact=" + name, "-DoutputDirectory=%s" % arrived]
        run(["mvn", "-q", "-B", pins["maven_plugin"] + ":copy"] + settings, cwd=str(folder))
    else:
        raise FetchError("%s: unknown kind '%s'" % (PINS.name, entry["kind"]))
    files = sorted(arrived.iterdir())
    if len(files) != 1:
        raise FetchError("%s gave %d files, not one" % (name, len(files)))
    return files[0]


def fetch_archive(pins, entry, python, archives):
    """The verified archive of an entry, fetched unless a verified one is kept already."""
    kept = archives / ("%s-%s-%s" % (entry["name"], entry["version"], entry["sha256"][:12]))
    if kept.exists() and sha256_of(kept) == entry["sha256"]:
        return kept
    say("fetching %s %s (%s)" % (entry["package"], entry["version"], entry["kind"]))
    with tempfile.TemporaryDirectory(dir=str(archives)) as folder:
        arrived = download(pins, entry, python, Path(folder))
        found = sha256_of(arrived)
        if found != entry["sha256"]:
            raise FetchError(
                "%s %s has SHA-256 %s, but %s pins %s: refusing it"
                % (entry["package"], entry["version"], found, PINS.name, entry["sha256"])
            )
        arrived.replace(kept)
    return kept


def place_for(name, take):
    """Where a file of an archive goes, or None; `name` is without the archive's top folder."""
    for source, target in take.items():
        if name == source:
            return target
        if name.startswith(source + "/"):
            return target + name[len(source) :]
    return None


def unpack_tar(archive, take, staging):
    """Write the wanted regular files below staging, keeping their times and execute bits."""
    with tarfile.open(str(archive), "r:gz") as tar:
        for member in tar:
            inner = member.name.partition("/")[2]
            target = place_for(inner, take) if member.isfile() else None
            if target is None:
                continue
            if ".." in target.split("/"):
                raise FetchError("%s holds a path that climbs: %s" % (archive, member.name))
            path = staging / target
            path.parent.mkdir(parents=True, exist_ok=True)
            with tar.extractfile(member) as stream, open(path, "wb") as out:
                shutil.copyfileobj(stream, out, 1 << 20)
            path.chmod(0o755 if member.mode & 0o100 else 0o644)
            os.utime(str(path), (member.mtime, member.mtime))


def unpack_zip(archive, take, staging):
    """The same for a zip archive, whose files have today's times."""
    with zipfile.ZipFile(str(archive)) as files:
        for member in files.infolist():
            inner = member.filename.partition("/")[2]
            target = None if member.is_dir() else place_for(inner, take)
            if target is None:
                continue
            if ".." in target.split("/"):
                raise FetchError("%s holds a path that climbs: %s" % (archive, member.filename))
            path = staging / target
            path.parent.mkdir(parents=True, exist_ok=True)
            with files.open(member) as stream, open(path, "wb") as out:
                shutil.copyfileobj(stream, out, 1 << 20)


def unpack(entry, archive, into):
    """Put what is taken from an archive in place, replacing what stood there before."""
    with tempfile.TemporaryDirectory(dir=str(into)) as folder:
        staging = Path(folder)
        if entry["kind"] == "maven":
            (target,) = entry["take"].values()
            (staging / target).parent.mkdir(parents=True)
            shutil.copyfile(str(archive), str(staging / target))
        elif zipfile.is_zipfile(str(archive)):
            unpack_zip(archive, entry["take"], staging)
        else:
            unpack_tar(archive, entry["take"], staging)
        for source, target in entry["take"].items():
            fresh, final = staging / target, into / target
            if not fresh.exists():
                raise FetchError("%s holds no '%s'" % (entry["package"], source))
            final.parent.mkdir(parents=True, exist_ok=True)
            if final.is_dir():
                shutil.rmtree(str(final))
            fresh.replace(final)


def fetch_group(pins, group, into, venv):
    """Fetch the archives of a group at once, then unpack them."""
    machine = {"arm64": "aarch64"}.get(platform.machine(), platform.machine())
    own_duckdb = os.environ.get("DUCKDB_ROOT", "")
    entries = [
        entry
        for entry in pins["archives"]
        if entry["group"] == group
        and entry.get("machine", machine) == machine
        and not (own_duckdb and entry.get("unless") == "DUCKDB_ROOT")
    ]
    stamp = into / (".fetched-" + group)
    outputs = [into / target for entry in entries for target in entry["take"].values()]
    digest = digest_of(entries, packages_of(pins, group))
    if stands(stamp, digest, outputs):
        return
    if group == "core" and not own_duckdb and not any("machine" in entry for entry in entries):
        raise FetchError(
            "no DuckDB library is pinned for '%s': set DUCKDB_ROOT to a folder with duckdb.h "
            "and libduckdb.so" % machine
        )
    ensure_packages(pins, group)
    python = ensure_venv(venv)
    archives = into / "archives"
    archives.mkdir(parents=True, exist_ok=True)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda e: fetch_archive(pins, e, python, archives), entries))
    for entry, archive in zip(entries, found):
        unpack(entry, archive, into)
    stamp.write_text(digest + "\n", encoding="utf-8")
    say("%s is in %s" % (group, into))


def load_pins():
    return json.loads(PINS.read_text(encoding="utf-8"))


def main(arguments):
    parser = argparse.ArgumentParser(description="Fetch the pinned dependencies.")
    parser.add_argument("groups", nargs="*", help="of: %s (core)" % ", ".join(GROUPS))
    parser.add_argument("--into", type=Path, default=ROOT / "build" / "deps")
    parser.add_argument("--venv", type=Path, default=ROOT / ".venv")
    options = parser.parse_args(arguments)
    for group in options.groups:
        if group not in GROUPS:
            parser.error("no group '%s'; there are %s" % (group, ", ".join(GROUPS)))
    pins = load_pins()
    into = options.into.resolve()
    into.mkdir(parents=True, exist_ok=True)
    try:
        for group in options.groups or ["core"]:
            with open(into / (".lock-" + group), "w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if group == "development":
                    fetch_development(pins, options.venv.absolute())
                fetch_group(pins, group, into, options.venv.absolute())
    except FetchError as error:
        print("fetch: %s" % error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
