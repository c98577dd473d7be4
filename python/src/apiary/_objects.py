# SPDX-License-Identifier: Apache-2.0
"""Hives, boxes and frames as objects. They are names: they hold nothing and are never stale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import datetime
    import os

    import pyarrow

    from apiary._apiary import Apiary, Paths, Progress, Schema
    from apiary._values import Condition


class Hive:
    """A hive (database): boxes.

    >>> from apiary import Apiary
    >>> with Apiary("demo") as ap:
    ...     hive = ap.create_hive("warehouse")
    ...     box = hive.create_box("sales")
    ...     hive.list_boxes()
    ['sales']
    """

    def __init__(self, apiary: Apiary, name: str) -> None:
        self._apiary = apiary
        self.name = name

    def __repr__(self) -> str:
        return f"<Hive {self.name}>"

    def box(self, name: str) -> Box:
        """A box as an object; it is not looked up."""
        return Box(self._apiary, self.name, name)

    def create_box(self, name: str) -> Box:
        """Make a box; one that exists is fine."""
        return self._apiary.create_box(self.name, name)

    def list_boxes(self) -> list[str]:
        """The names of the boxes, sorted."""
        return self._apiary.list_boxes(self.name)

    def rename(self, new_name: str) -> None:
        """Give it another name."""
        self._apiary.rename_hive(self.name, new_name)
        self.name = new_name

    def drop(self, *, cascade: bool = False, if_exists: bool = False) -> None:
        """Remove it; with boxes in it only with `cascade`."""
        self._apiary.drop_hive(self.name, cascade=cascade, if_exists=if_exists)

    schema = box
    create_schema = create_box
    list_schemas = list_boxes


class Box:
    """A box (schema): frames."""

    def __init__(self, apiary: Apiary, hive: str, name: str) -> None:
        self._apiary = apiary
        self.hive = hive
        self.name = name

    def __repr__(self) -> str:
        return f"<Box {self.hive}.{self.name}>"

    def frame(self, name: str) -> Frame:
        """A frame as an object; it is not looked up."""
        return Frame(self._apiary, self.hive, self.name, name)

    def create_frame(
        self,
        name: str,
        schema: Schema,
        partition_by: Sequence[str] | str | None = None,
        *,
        description: str | None = None,
        properties: Mapping[str, str] | None = None,
    ) -> Frame:
        """Make a frame, as `Apiary.create_frame` does."""
        return self._apiary.create_frame(
            self.hive,
            self.name,
            name,
            schema,
            partition_by,
            description=description,
            properties=properties,
        )

    def attach_frame(self, name: str, folder: str | os.PathLike[str]) -> Frame:
        """Take a Delta table below the storage in, as `Apiary.attach_frame` does."""
        return self._apiary.attach_frame(self.hive, self.name, name, folder)

    def list_frames(self) -> list[str]:
        """The names of the frames, sorted."""
        return self._apiary.list_frames(self.hive, self.name)

    def rename(self, new_name: str) -> None:
        """Give it another name."""
        self._apiary.rename_box(self.hive, self.name, new_name)
        self.name = new_name

    def drop(self, *, cascade: bool = False, if_exists: bool = False) -> None:
        """Remove it; with frames in it only with `cascade`."""
        self._apiary.drop_box(self.hive, self.name, cascade=cascade, if_exists=if_exists)

    table = frame
    create_table = create_frame
    list_tables = list_frames


class Frame:
    """A frame (table): rows.

    >>> from apiary import Apiary
    >>> with Apiary("demo") as ap:
    ...     box = ap.create_hive("weather").create_box("raw")
    ...     frame = box.create_frame("days", {"city": "string", "high": "int32"}, "city")
    ...     first = frame.write([{"city": "Oslo", "high": 3}, {"city": "Rome", "high": 14}])
    ...     second = frame.overwrite([{"city": "Oslo", "high": 4}], where={"city": "Oslo"})
    ...     now = frame.read(filter={"city": "Oslo"}).to_pylist()
    ...     before = frame.read("high < 10", version=first["version"]).to_pylist()
    >>> now, before
    ([{'city': 'Oslo', 'high': 4}], [{'city': 'Oslo', 'high': 3}])
    """

    def __init__(self, apiary: Apiary, hive: str, box: str, name: str) -> None:
        self._apiary = apiary
        self.hive = hive
        self.box = box
        self.name = name

    def __repr__(self) -> str:
        return f"<Frame {self.hive}.{self.box}.{self.name}>"

    def _place(self) -> tuple[str, str, str]:
        return self.hive, self.box, self.name

    def describe(self) -> dict[str, Any]:
        """What `Apiary.get_frame` tells."""
        return self._apiary.get_frame(*self._place())

    @property
    def schema(self) -> pyarrow.Schema:
        """The columns as a pyarrow schema."""
        return self._apiary.frame_schema(*self._place())

    def write(
        self,
        data: Any,
        *,
        backpressure: str = "block",
        app_id: str | None = None,
        app_version: int = 0,
        user_metadata: str | None = None,
    ) -> dict[str, Any]:
        """Append rows, as `Apiary.write_to_frame` does."""
        return self._apiary.write_to_frame(
            *self._place(),
            data,
            backpressure=backpressure,
            app_id=app_id,
            app_version=app_version,
            user_metadata=user_metadata,
        )

    def overwrite(
        self,
        data: Any,
        where: Condition | None = None,
        *,
        backpressure: str = "block",
        app_id: str | None = None,
        app_version: int = 0,
        user_metadata: str | None = None,
    ) -> dict[str, Any]:
        """Replace rows, as `Apiary.overwrite_frame` does."""
        return self._apiary.overwrite_frame(
            *self._place(),
            data,
            where,
            backpressure=backpressure,
            app_id=app_id,
            app_version=app_version,
            user_metadata=user_metadata,
        )

    def read(
        self,
        filter: Condition | None = None,
        *,
        columns: Sequence[str] | None = None,
        version: int | None = None,
        timestamp: str | datetime.datetime | None = None,
    ) -> pyarrow.Table:
        """Rows as a pyarrow table, as `Apiary.read_from_frame` does."""
        return self._apiary.read_from_frame(
            *self._place(), filter, columns=columns, version=version, timestamp=timestamp
        )

    def import_files(
        self,
        paths: Paths,
        *,
        format: str | None = None,
        overwrite: bool = False,
        null_text: str | None = None,
        progress: Progress | None = None,
    ) -> dict[str, Any]:
        """Load files into this frame, which must exist; see `Apiary.import_files`."""
        return self._apiary.import_files(
            *self._place(),
            paths,
            format=format,
            create=False,
            overwrite=overwrite,
            null_text=null_text,
            progress=progress,
        )

    def history(self, limit: int | None = None) -> list[dict[str, Any]]:
        """The versions, newest first."""
        return self._apiary.frame_history(*self._place(), limit)

    def checkpoint(self) -> int:
        """Write a checkpoint of the ledger now."""
        return self._apiary.checkpoint_frame(*self._place())

    def rename(self, new_name: str) -> None:
        """Give it another name."""
        self._apiary.rename_frame(*self._place(), new_name)
        self.name = new_name

    def drop(self, *, if_exists: bool = False) -> None:
        """Remove it and its data."""
        self._apiary.drop_frame(*self._place(), if_exists=if_exists)
