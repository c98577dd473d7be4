# SPDX-License-Identifier: Apache-2.0
"""The dialect of SQLAlchemy: ``create_engine("apiary:///folder")``.

``apiary:////absolute/folder``, ``apiary:///relative/folder`` and ``apiary://name`` name an apiary
as `apiary.Apiary` does; ``?hive=..&box=..`` says what is in use, and ``memory``, ``bees`` and
``relaxed`` are its options. A schema is ``"hive.box"``, or ``"box"`` of the hive in use.

A transaction changes one frame; it is REPEATABLE READ. With ``isolation_level="AUTOCOMMIT"`` every
statement is committed when it ends, which units of work over several frames need. Primary and
foreign keys may be declared, for mappings and joins; they are not checked, and no key is made for
rows without one. Indexes are not needed and not made.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from sqlalchemy import exc, schema, types, util
from sqlalchemy.engine import URL, default, reflection
from sqlalchemy.engine.interfaces import DBAPIConnection, ReflectedColumn
from sqlalchemy.sql import compiler

from apiary import dbapi
from apiary.errors import InvalidArgument, NotFound, StateError

# ------------------------------------------------------------------------------------------ types


class Nested(types.UserDefinedType[Any]):
    """A struct or a map, by its type word."""

    cache_ok = True

    def __init__(self, word: str) -> None:
        self.word = word

    def get_col_spec(self, **_: Any) -> str:
        return self.word


_PLAIN: dict[str, types.TypeEngine[Any]] = {
    "int8": types.SMALLINT(),
    "int16": types.SMALLINT(),
    "int32": types.INTEGER(),
    "int64": types.BIGINT(),
    "uint8": types.SMALLINT(),
    "uint16": types.INTEGER(),
    "uint32": types.BIGINT(),
    "uint64": types.NUMERIC(20, 0),
    "float16": types.REAL(),
    "float32": types.REAL(),
    "float64": types.DOUBLE(),
    "string": types.VARCHAR(),
    "binary": types.LargeBinary(),
    "boolean": types.BOOLEAN(),
    "date": types.DATE(),
    "time": types.TIME(),
    "timestamp": types.TIMESTAMP(),
    "timestamp[us, UTC]": types.TIMESTAMP(timezone=True),
}


def type_of(word: str) -> types.TypeEngine[Any]:
    """SQLAlchemy's type for a type word of a frame.

    >>> type_of("decimal(10,2)"), type_of("list<int64>")
    (DECIMAL(precision=10, scale=2), ARRAY(BIGINT()))
    """
    if word in _PLAIN:
        return _PLAIN[word]
    digits = re.fullmatch(r"decimal\((\d+), *(\d+)\)", word)
    if digits:
        return types.DECIMAL(int(digits.group(1)), int(digits.group(2)))
    item = re.fullmatch(r"list<(.*)>", word)
    return types.ARRAY(type_of(item.group(1))) if item else Nested(word)


class ApiaryTypeCompiler(compiler.GenericTypeCompiler):
    """The names of types; lengths of texts are not kept, as frames do not know them."""

    def _text(self, type_: types.TypeEngine[Any], **_: Any) -> str:
        return "STRING"

    def _bytes(self, type_: types.TypeEngine[Any], **_: Any) -> str:
        return "BINARY"

    def _float(self, type_: types.TypeEngine[Any], **_: Any) -> str:
        return "DOUBLE"

    def _number(self, type_: Any, **_: Any) -> str:
        precision = 38 if type_.precision is None else type_.precision
        scale = (10 if type_.precision is None else 0) if type_.scale is None else type_.scale
        return f"DECIMAL({precision}, {scale})"

    def _moment(self, type_: Any, **_: Any) -> str:
        return "TIMESTAMPTZ" if type_.timezone else "TIMESTAMP"

    def _time(self, type_: Any, **_: Any) -> str:
        if type_.timezone:
            raise exc.CompileError("a TIME with a time zone cannot be kept in a frame")
        return "TIME"

    visit_VARCHAR = visit_NVARCHAR = visit_CHAR = visit_NCHAR = visit_TEXT = _text
    visit_CLOB = visit_JSON = visit_UUID = visit_uuid = visit_unicode = visit_enum = _text
    visit_BLOB = visit_BINARY = visit_VARBINARY = visit_large_binary = _bytes
    visit_FLOAT = visit_DOUBLE = visit_DOUBLE_PRECISION = _float
    visit_NUMERIC = visit_DECIMAL = _number
    visit_DATETIME = visit_TIMESTAMP = _moment
    visit_TIME = _time

    def visit_ARRAY(self, type_: Any, **kw: Any) -> str:
        return self.process(type_.item_type, **kw) + "[]" * (type_.dimensions or 1)


# ------------------------------------------------------------------------------------- statements


class ApiaryIdentifierPreparer(compiler.IdentifierPreparer):
    """Quoted names; a schema is one name, or hive and box parted by a point."""

    reserved_words = compiler.RESERVED_WORDS | set(
        "anti asof at attach box column cube describe explain fetch frame from full group having "
        "hive lambda lateral limit order partition pivot positional qualify range rollup sample "
        "select semi show summarize table tablesample then to union unpivot use using values "
        "version when where window with".split()
    )

    def quote_schema(self, schema: str, force: Any = None) -> str:
        return ".".join(self.quote(part) for part in schema.split("."))

    def format_schema(self, name: str) -> str:
        return self.quote_schema(name)


class ApiaryCompiler(compiler.SQLCompiler):
    """DuckDB's SQL."""

    def limit_clause(self, select: Any, **kw: Any) -> str:
        text = ""
        if select._limit_clause is not None:
            text += "\n LIMIT " + self.process(select._limit_clause, **kw)
        if select._offset_clause is not None:
            text += "\n OFFSET " + self.process(select._offset_clause, **kw)
        return text

    def for_update_clause(self, select: Any, **kw: Any) -> str:
        return ""

    def visit_empty_set_expr(self, element_types: Any, **kw: Any) -> str:
        return "SELECT " + ", ".join("1" for _ in element_types or [None]) + " WHERE 1 = 0"

    def visit_ilike_op_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        return f"{self.process(binary.left, **kw)} ILIKE {self.process(binary.right, **kw)}"

    def visit_regexp_match_op_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        left, right = self.process(binary.left, **kw), self.process(binary.right, **kw)
        return f"regexp_matches({left}, {right})"


class ApiaryDDLCompiler(compiler.DDLCompiler):
    """CREATE and DROP of frames and boxes."""

    def get_column_specification(self, column: Any, **kw: Any) -> str:
        if column.computed is not None or column.identity is not None:
            raise exc.CompileError(f"column '{column.name}': a frame makes no values of its own")
        if column.server_default is not None:
            raise exc.CompileError(
                f"column '{column.name}': set its default by ALTER FRAME, or use default="
            )
        kind = self.dialect.type_compiler_instance.process(column.type, type_expression=column)
        null = "" if column.nullable else " NOT NULL"
        return f"{self.preparer.format_column(column)} {kind}{null}"

    def create_table_constraints(self, table: Any, *args: Any, **kw: Any) -> str:
        checks = [c for c in table.constraints if isinstance(c, schema.CheckConstraint)]
        if any(not getattr(check, "_type_bound", False) for check in checks):
            raise exc.CompileError("add a CHECK by ALTER FRAME ... ADD CONSTRAINT")
        return ""  # keys are not checked

    def post_create_table(self, table: Any) -> str:
        columns = table.dialect_options["apiary"]["partition_by"]
        if not columns:
            return ""
        if isinstance(columns, str):
            columns = [columns]
        return f" PARTITIONED BY ({', '.join(self.preparer.quote(name) for name in columns)})"

    def visit_create_index(
        self,
        create: Any,
        include_schema: Any = False,
        include_table_schema: Any = True,
        **kw: Any,
    ) -> str:
        return "SELECT 'no index is needed' AS message"

    def visit_drop_index(self, drop: Any, **kw: Any) -> str:
        return "SELECT 'there is no index' AS message"


# ---------------------------------------------------------------------------------------- dialect


class ApiaryDialect(default.DefaultDialect):
    """See the module."""

    name = "apiary"
    driver = "apiary"
    default_paramstyle = "qmark"
    statement_compiler = ApiaryCompiler
    ddl_compiler = ApiaryDDLCompiler
    type_compiler_cls = ApiaryTypeCompiler
    preparer = ApiaryIdentifierPreparer
    construct_arguments = [(schema.Table, {"partition_by": None})]  # noqa: RUF012
    supports_statement_cache = True
    supports_alter = False
    supports_schemas = True
    supports_native_boolean = True
    supports_native_decimal = True
    supports_native_enum = False
    supports_native_uuid = False
    supports_sequences = False
    supports_default_values = False
    supports_default_metavalue = False
    supports_empty_insert = False
    supports_multivalues_insert = True
    supports_sane_multi_rowcount = False
    use_insertmanyvalues = False
    insert_returning = update_returning = delete_returning = False
    postfetch_lastrowid = False
    requires_name_normalize = False
    max_identifier_length = 255

    @classmethod
    def import_dbapi(cls) -> Any:
        return dbapi

    def create_connect_args(self, url: URL) -> tuple[Sequence[str], dict[str, Any]]:
        """The arguments of `apiary.dbapi.connect`."""
        options: dict[str, Any] = dict(url.query)
        storage = options.pop("storage", None) or url.database or None
        arguments = {"name": options.pop("name", None) or url.host, "storage": storage}
        for name in ("hive", "box", "memory"):
            if name in options:
                arguments[name] = options.pop(name)
        if "bees" in options:
            arguments["bees"] = int(options.pop("bees"))
        if "relaxed" in options:
            arguments["relaxed"] = util.asbool(options.pop("relaxed"))
        if options:
            raise exc.ArgumentError(f"apiary:// knows no option {', '.join(sorted(options))}")
        return (), arguments

    # ------------------------------------------------------------------------------- transactions

    def do_rollback(self, dbapi_connection: Any) -> None:
        """Of the open transaction; in AUTOCOMMIT what has been written stays."""
        if not dbapi_connection.autocommit:
            dbapi_connection.rollback()

    def get_isolation_level_values(self, dbapi_conn: DBAPIConnection) -> Any:
        return ["REPEATABLE READ", "AUTOCOMMIT"]

    def get_default_isolation_level(self, dbapi_conn: DBAPIConnection) -> Any:
        return "REPEATABLE READ"

    def get_isolation_level(self, dbapi_connection: Any) -> Any:
        return "AUTOCOMMIT" if dbapi_connection.autocommit else "REPEATABLE READ"

    def set_isolation_level(self, dbapi_connection: Any, level: Any) -> None:
        dbapi_connection.autocommit = level == "AUTOCOMMIT"

    def detect_autocommit_setting(self, dbapi_conn: Any) -> bool:
        return bool(dbapi_conn.autocommit)

    def is_disconnect(self, e: Any, connection: Any, cursor: Any) -> bool:
        return isinstance(e, dbapi.InterfaceError) and "closed" in str(e)

    # --------------------------------------------------------------------------------- reflection

    def _get_default_schema_name(self, connection: Any) -> Any:
        session = connection.connection.dbapi_connection._session
        return f"{session.hive}.{session.box}" if session.box else None

    def _place(self, connection: Any, schema: str | None) -> tuple[Any, str, str] | None:
        """The apiary, hive and box of a schema; None when there is none."""
        raw = connection.connection.dbapi_connection
        session = raw._session
        if schema is None:
            return (raw.apiary, session.hive, session.box) if session.box else None
        hive, _, box = schema.rpartition(".")
        hive = hive or session.hive
        return (raw.apiary, hive, box) if hive else None

    def _frame(self, connection: Any, name: str, schema: str | None) -> dict[str, Any]:
        place = self._place(connection, schema)
        try:
            if place is not None:
                found: dict[str, Any] = place[0].get_frame(place[1], place[2], name)
                return found
        except (NotFound, InvalidArgument):
            pass
        except StateError:  # a view, which has columns and nothing else
            return {"schema": None, "partition_by": []}
        raise exc.NoSuchTableError(f"{schema}.{name}" if schema else name)

    @reflection.cache
    def has_table(
        self, connection: Any, table_name: str, schema: str | None = None, **kw: Any
    ) -> bool:
        try:
            return bool(self._frame(connection, table_name, schema))
        except exc.NoSuchTableError:
            return False

    def has_schema(self, connection: Any, schema_name: str, **kw: Any) -> bool:
        return schema_name in self.get_schema_names(connection)

    @reflection.cache
    def get_schema_names(self, connection: Any, **kw: Any) -> list[str]:
        """``hive.box`` of all."""
        apiary = connection.connection.dbapi_connection.apiary
        return [f"{hive}.{box}" for hive in apiary.list_hives() for box in apiary.list_boxes(hive)]

    @reflection.cache
    def get_table_names(self, connection: Any, schema: str | None = None, **kw: Any) -> list[str]:
        place = self._place(connection, schema)
        try:
            return [] if place is None else list(place[0].list_frames(*place[1:]))
        except NotFound:
            raise exc.NoSuchTableError(schema) from None

    @reflection.cache
    def get_columns(
        self, connection: Any, table_name: str, schema: str | None = None, **kw: Any
    ) -> list[ReflectedColumn]:
        columns: list[ReflectedColumn] = []
        words = self._frame(connection, table_name, schema)["schema"]
        if words is None:
            query = f"SELECT * FROM {self._full_name(connection, table_name, schema)} LIMIT 0"
            answer = connection.connection.dbapi_connection.apiary.sql(query)
            words = dict(zip(answer.columns, answer.types))
        for name, word in words.items():
            kind, _, rule = word.partition(" not null") if " not null" in word else (word, "", None)
            columns.append(
                {
                    "name": name,
                    "type": type_of(kind),
                    "nullable": rule is None,
                    "default": None,
                    "autoincrement": False,
                }
            )
        return columns

    @reflection.cache
    def get_table_comment(
        self, connection: Any, table_name: str, schema: str | None = None, **kw: Any
    ) -> Any:
        return {"text": self._frame(connection, table_name, schema).get("description") or None}

    @reflection.cache
    def get_table_options(
        self, connection: Any, table_name: str, schema: str | None = None, **kw: Any
    ) -> dict[str, Any]:
        columns = self._frame(connection, table_name, schema)["partition_by"]
        return {"apiary_partition_by": columns} if columns else {}

    def _full_name(self, connection: Any, name: str, schema: str | None) -> str:
        place = self._place(connection, schema)
        assert place is not None
        return ".".join(self.identifier_preparer.quote(part) for part in (*place[1:], name))

    @reflection.cache
    def get_view_names(self, connection: Any, schema: str | None = None, **kw: Any) -> list[str]:
        place = self._place(connection, schema)
        if place is None:
            return []
        parts = ".".join(self.identifier_preparer.quote(part) for part in place[1:])
        try:
            names: list[str] = place[0].sql(f"SHOW VIEWS IN {parts}")["view"]
        except NotFound:
            raise exc.NoSuchTableError(schema) from None
        return names

    @reflection.cache
    def get_view_definition(
        self, connection: Any, view_name: str, schema: str | None = None, **kw: Any
    ) -> str:
        if self._frame(connection, view_name, schema)["schema"] is not None:
            raise exc.NoSuchTableError(view_name)
        query = f"SHOW CREATE VIEW {self._full_name(connection, view_name, schema)}"
        text: str = connection.connection.dbapi_connection.apiary.sql(query)["statement"][0]
        return text

    def get_pk_constraint(
        self, connection: Any, table_name: str, schema: str | None = None, **kw: Any
    ) -> Any:
        self._frame(connection, table_name, schema)
        return {"constrained_columns": [], "name": None}

    def _nothing(
        self, connection: Any, table_name: str, schema: str | None = None, **kw: Any
    ) -> list[Any]:
        self._frame(connection, table_name, schema)
        return []

    get_foreign_keys = get_indexes = get_unique_constraints = get_check_constraints = _nothing
