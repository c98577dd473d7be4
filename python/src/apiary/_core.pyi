# SPDX-License-Identifier: Apache-2.0
"""The extension module: a thin layer over the C library. The package apiary is its only user."""

from collections.abc import Callable, Sequence
from typing import Any, final

_Progress = Callable[[float], object] | None
_WriteResult = dict[str, Any]

def version() -> str: ...
def engine_version() -> str: ...
def statuses() -> list[str]: ...
def parse_size(text: str) -> int: ...
def collect(source: object, /) -> Batches: ...

@final
class Batches:
    @property
    def names(self) -> list[str]: ...
    @property
    def types(self) -> list[str]: ...
    @property
    def num_rows(self) -> int: ...
    def rows(self, start: int, stop: int, /) -> list[tuple[Any, ...]]: ...
    def dicts(self, start: int, stop: int, /) -> list[dict[str, Any]]: ...
    def column(self, index: int, /) -> list[Any]: ...
    def value(self, row: int, column: int, /) -> Any: ...
    def to_ipc(self) -> bytes: ...
    def __arrow_c_schema__(self) -> object: ...
    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...

@final
class Session:
    @property
    def hive(self) -> str: ...
    @property
    def box(self) -> str: ...
    def query(
        self,
        sql: str,
        parameters: tuple[tuple[bytes | None, int, object], ...],
        timeout_ms: int,
        progress: _Progress,
        /,
    ) -> Batches: ...
    def export(self, sql: str, path: str, format: str | None, /) -> int: ...
    def interrupt(self) -> None: ...

@final
class Apiary:
    def __new__(
        cls,
        name: str | None,
        storage: str | None,
        memory_bytes: int = 0,
        bees: int = 0,
        relaxed: bool = False,
    ) -> Apiary: ...
    def close(self) -> None: ...
    def session(self) -> Session: ...
    def report(self, report: int, /) -> str: ...
    def list(self, hive: str | None, box: str | None, /) -> list[str]: ...
    def create(self, hive: str, box: str | None, if_absent: bool, /) -> None: ...
    def rename(self, hive: str, box: str | None, frame: str | None, new_name: str, /) -> None: ...
    def drop(
        self, hive: str, box: str | None, frame: str | None, cascade: bool, if_exists: bool, /
    ) -> None: ...
    def create_frame(
        self,
        hive: str,
        box: str,
        frame: str,
        names: Sequence[str] | None,
        types: Sequence[str] | None,
        schema: object | None,
        partition_by: Sequence[str] | None,
        description: str | None,
        property_names: Sequence[str] | None,
        property_values: Sequence[str] | None,
        if_absent: bool,
        /,
    ) -> None: ...
    def describe(self, hive: str, box: str, frame: str, /) -> str: ...
    def history(self, hive: str, box: str, frame: str, limit: int, /) -> Batches: ...
    def checkpoint(self, hive: str, box: str, frame: str, /) -> int: ...
    def attach(self, hive: str, box: str, frame: str, folder: str, /) -> None: ...
    def write(
        self,
        hive: str,
        box: str,
        frame: str,
        data: object,
        overwrite: bool,
        replace_where: str | None,
        app_id: str | None,
        app_version: int,
        user_metadata: str | None,
        /,
    ) -> _WriteResult: ...
    def read(
        self,
        hive: str,
        box: str,
        frame: str,
        columns: Sequence[str] | None,
        filter: str | None,
        version: int,
        timestamp: str | None,
        /,
    ) -> Batches: ...
    def import_files(
        self,
        hive: str,
        box: str,
        frame: str,
        paths: Sequence[str],
        format: str | None,
        partition_by: Sequence[str] | None,
        create: bool,
        overwrite: bool,
        null_text: str | None,
        progress: _Progress,
        /,
    ) -> _WriteResult: ...
