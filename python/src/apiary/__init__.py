# SPDX-License-Identifier: Apache-2.0
"""Apiary: a lakehouse for small compute.

Hives (databases) hold boxes (schemas), boxes hold frames (tables). A frame is a Delta Lake table of
Parquet cells that other engines read and write too.

>>> from apiary import Apiary
>>> with Apiary("my_database") as ap:
...     orders = ap.create_hive("warehouse").create_box("sales").create_frame(
...         "orders", {"order_id": "int64", "customer": "string", "amount": "float64"}
...     )
...     written = orders.write(
...         [
...             {"order_id": 1, "customer": "alice", "amount": 100.0},
...             {"order_id": 2, "customer": "bob", "amount": 250.0},
...             {"order_id": 3, "customer": "alice", "amount": 75.0},
...         ]
...     )
...     totals = ap.sql(
...         "SELECT customer, SUM(amount) AS total FROM warehouse.sales.orders "
...         "GROUP BY customer ORDER BY customer"
...     )
>>> totals.fetchall()
[('alice', 175.0), ('bob', 250.0)]
"""

from apiary._apiary import Apiary
from apiary._objects import Box, Frame, Hive
from apiary._result import Result
from apiary._session import Session
from apiary._stream import Batch, Stream
from apiary._transaction import Transaction
from apiary.errors import (
    AlreadyExists,
    ApiaryError,
    Busy,
    Cancelled,
    ConfigError,
    Conflict,
    CorruptError,
    InternalError,
    InvalidArgument,
    MemoryExceeded,
    NotFound,
    OutcomeUnknown,
    OutOfMemory,
    SchemaError,
    SqlError,
    SqlSyntaxError,
    StateError,
    StorageError,
    TaskAbandoned,
    TaskTimeout,
    Unsupported,
)

__version__ = "0.1.0"

__all__ = [
    "AlreadyExists",
    "Apiary",
    "ApiaryError",
    "Batch",
    "Box",
    "Busy",
    "Cancelled",
    "ConfigError",
    "Conflict",
    "CorruptError",
    "Frame",
    "Hive",
    "InternalError",
    "InvalidArgument",
    "MemoryExceeded",
    "NotFound",
    "OutOfMemory",
    "OutcomeUnknown",
    "Result",
    "SchemaError",
    "Session",
    "SqlError",
    "SqlSyntaxError",
    "StateError",
    "StorageError",
    "Stream",
    "TaskAbandoned",
    "TaskTimeout",
    "Transaction",
    "Unsupported",
    "__version__",
]
