# SPDX-License-Identifier: Apache-2.0
"""The ten nearest neighbours of 100,000 points of the unit cube, beside nanoflann and FAISS.

All contestants are given the same float32 points and ask for all of them, themselves left out. Ours
is called in the C library, without a Python layer. Rounds alternate; the exact ones must agree; of
FAISS, which is approximate, the recall is told. Peers that are not installed are left out.
"""

from __future__ import annotations

import ctypes
import importlib.util
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
POINTS = 100_000
K = 10
Answer = tuple[float, float, Any, Any]  # seconds to build and to search; rows, distances


class Column(ctypes.Structure):
    """ap_knn_column."""

    _fields_ = (
        ("values", ctypes.c_void_p),
        ("validity", ctypes.c_void_p),
        ("offset", ctypes.c_uint64),
        ("width", ctypes.c_uint32),
    )


class Points(ctypes.Structure):
    """ap_knn_points."""

    _fields_ = (
        ("columns", ctypes.c_void_p),
        ("dimensions", ctypes.c_uint32),
        ("row_count", ctypes.c_uint64),
    )


class Options(ctypes.Structure):
    """ap_knn_search_options."""

    _fields_ = (
        ("struct_size", ctypes.c_uint64),
        ("k", ctypes.c_uint64),
        ("threads", ctypes.c_uint32),
        ("self", ctypes.c_int32),
        ("first_row", ctypes.c_uint64),
        ("distance_max", ctypes.c_double),
    )


def ours(points: Any, threads: int) -> Answer:
    """Build and search with the C functions of apiary/knn.h."""
    library = ctypes.CDLL(str(next((ROOT / "build/release").rglob("libapiary.so"))))
    columns = [np.ascontiguousarray(points[:, i]) for i in range(points.shape[1])]
    described = (Column * len(columns))(*[Column(c.ctypes.data, None, 0, 4) for c in columns])
    given = Points(ctypes.addressof(described), len(columns), len(points))
    size = ctypes.c_uint64()

    def check(status: int) -> None:
        if status != 0:
            raise RuntimeError(f"apiary/knn.h answered {status}")

    rows = np.empty((len(points), K), np.int64)
    distances = np.empty((len(points), K), np.float64)
    options = Options(ctypes.sizeof(Options), K, threads, 1, 0, float("inf"))
    start = time.perf_counter()
    check(library.ap_knn_size(ctypes.byref(given), ctypes.byref(size), None))
    memory = np.empty(size.value + 64, np.uint8)
    place = ctypes.c_void_p((memory.ctypes.data + 63) // 64 * 64)
    check(library.ap_knn_build(ctypes.byref(given), threads, place, size, None))
    built = time.perf_counter()
    check(
        library.ap_knn_search(
            place,
            size,
            ctypes.byref(given),
            ctypes.byref(options),
            ctypes.c_void_p(rows.ctypes.data),
            ctypes.c_void_p(distances.ctypes.data),
            None,
        )
    )
    return built - start, time.perf_counter() - built, rows, distances


def nanoflann(points: Any, threads: int) -> Answer:
    """Through its package of Python, which is a thin one."""
    import pynanoflann

    start = time.perf_counter()
    tree = pynanoflann.KDTree(n_neighbors=K + 1, metric="L2", leaf_size=10)
    tree.fit(points)
    built = time.perf_counter()
    distances, rows = tree.kneighbors(points, n_jobs=threads)
    return built - start, time.perf_counter() - built, rows[:, 1:], np.sqrt(distances[:, 1:])


def scipy_tree(points: Any, threads: int) -> Answer:
    """cKDTree."""
    from scipy.spatial import cKDTree

    start = time.perf_counter()
    tree = cKDTree(points)
    built = time.perf_counter()
    distances, rows = tree.query(points, K + 1, workers=threads)
    return built - start, time.perf_counter() - built, rows[:, 1:], distances[:, 1:]


def faiss_ivf(points: Any, threads: int, cells: int, probes: int) -> Answer:
    """As the document's example has it: 100 cells, 10 of them probed; and with more, for recall."""
    import faiss

    faiss.omp_set_num_threads(threads)
    start = time.perf_counter()
    index = faiss.IndexIVFFlat(faiss.IndexFlatL2(3), 3, cells, faiss.METRIC_L2)
    index.train(points)
    index.add(points)
    index.nprobe = probes
    built = time.perf_counter()
    distances, rows = index.search(points, K + 1)
    return built - start, time.perf_counter() - built, rows[:, 1:], np.sqrt(distances[:, 1:])


def recall(found: Any, exact: Any) -> float:
    """The share of right rows, the order aside."""
    sample = range(0, len(exact), 17)
    return statistics.mean(len(set(found[i]) & set(exact[i])) / K for i in sample)


def contestants(points: Any) -> dict[str, Callable[[], Answer]]:
    """Those whose packages are there."""
    asked: dict[str, Callable[[], Answer]] = {
        "apiary, 1 thread": lambda: ours(points, 1),
        "apiary, 2 threads": lambda: ours(points, 2),
    }
    if importlib.util.find_spec("pynanoflann"):
        asked["nanoflann, 1 thread"] = lambda: nanoflann(points, 1)
        asked["nanoflann, 2 threads"] = lambda: nanoflann(points, 2)
    if importlib.util.find_spec("scipy"):
        asked["scipy cKDTree, 1 thread"] = lambda: scipy_tree(points, 1)
        asked["scipy cKDTree, 2 threads"] = lambda: scipy_tree(points, 2)
    if importlib.util.find_spec("faiss"):
        asked["FAISS IVF100, 10 probed, 2 threads"] = lambda: faiss_ivf(points, 2, 100, 10)
        asked["FAISS IVF100, 20 probed, 2 threads"] = lambda: faiss_ivf(points, 2, 100, 20)
        asked["FAISS IVF316, 8 probed, 2 threads"] = lambda: faiss_ivf(points, 2, 316, 8)
    return asked


def bench_knn(rounds: int) -> list[tuple[str, str, str, str, str]]:
    """Rows of a table: contestant, ms to build, ms to search, whole against ours, recall."""
    points = np.random.default_rng(7).random((POINTS, 3), dtype=np.float32)
    asked = contestants(points)
    builds: dict[str, list[float]] = {name: [] for name in asked}
    searches: dict[str, list[float]] = {name: [] for name in asked}
    answers: dict[str, Answer] = {}
    for round_number in range(rounds + 1):
        for name, ask in asked.items():
            answer = ask()
            answers[name] = answer
            if round_number > 0:
                builds[name].append(answer[0] * 1e3)
                searches[name].append(answer[1] * 1e3)
    exact = answers["apiary, 1 thread"][2]

    def whole(name: str) -> float:
        return statistics.median(map(sum, zip(builds[name], searches[name], strict=True)))

    def spread(times: list[float]) -> str:
        return f"{min(times):.0f} / {statistics.median(times):.0f}"

    return [
        (
            name,
            spread(builds[name]),
            spread(searches[name]),
            f"{whole(name) / whole('apiary, 2 threads'):.2f}x",
            f"{recall(answers[name][2], exact):.4f}",
        )
        for name in asked
    ]
