# SPDX-License-Identifier: Apache-2.0
"""SQL texts as tokens, as far as a driver must know them: where its parameters stand, and what kind
of statement it is.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import NamedTuple

_TOKEN = re.compile(
    r"""
    (?P<space>\s+|--[^\n]*)
    | (?P<comment>/\*)
    | (?P<string>[eE]'(?:[^'\\]|\\.|'')*' | '(?:[^']|'')*'
        | \$(?P<tag>(?:[^\W\d]\w*)?)\$.*?\$(?P=tag)\$)
    | (?P<name>"(?:[^"]|"")*")
    | (?P<parameter>\?\d* | \$\w+)
    | (?P<cast>::)
    | (?P<colon>:[^\W\d]\w*)
    | (?P<word>[^\W\d]\w*)
    | (?P<number>\d[\w.]*)
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT_MARK = re.compile(r"/\*|\*/")


class Token(NamedTuple):
    """A piece of SQL text."""

    kind: str
    text: str


def _comment_end(sql: str, start: int) -> int:
    """Comments nest."""
    depth = 0
    for mark in _COMMENT_MARK.finditer(sql, start):
        depth += 1 if mark.group() == "/*" else -1
        if depth == 0:
            return mark.end()
    return len(sql)


def tokens(sql: str) -> Iterator[Token]:
    """All pieces; joined they are the text again.

    >>> [token.text for token in tokens("a /* ? */ 'b?'::c") if token.kind != "space"]
    ['a', "'b?'", '::', 'c']
    """
    at = 0
    while at < len(sql):
        found = _TOKEN.match(sql, at)
        assert found is not None and found.lastgroup is not None
        kind, end = found.lastgroup, found.end()
        if found.group("string") is not None:
            kind = "string"
        elif kind == "comment":
            kind, end = "space", _comment_end(sql, at)
        elif kind == "colon" and at > 0 and (sql[at - 1].isalnum() or sql[at - 1] in "_'\"])"):
            kind, end = "other", at + 1  # a slice or a struct's member
        yield Token(kind, sql[at:end])
        at = end


class Statement(NamedTuple):
    """One statement of a text: where it ends, and its pieces without space and comments."""

    end: int
    pieces: list[Token]


def statements(pieces: list[Token]) -> list[Statement]:
    """The statements of a text.

    >>> [(one.end, one.pieces[0].text) for one in statements(list(tokens("SELECT 1; ; END -- x")))]
    [(9, 'SELECT'), (20, 'END')]
    """
    found: list[Statement] = []
    said: list[Token] = []
    at = 0
    for piece in pieces:
        at += len(piece.text)
        if piece.kind == "space":
            continue
        if piece.text != ";":
            said.append(piece)
        elif said:
            found.append(Statement(at, said))
            said = []
    if said:
        found.append(Statement(at, said))
    return found


def blank(sql: str) -> str:
    """As many lines and characters, so that places in what follows stay what they are."""
    return "".join(letter if letter == "\n" else " " for letter in sql)


def named(pieces: list[Token], names: Collection[str]) -> tuple[str, list[str]]:
    """The text with ``:name`` of the given names as ``$name``, and the names that it has.

    >>> named(list(tokens("SELECT :a, $b, x[1:a], ':a'")), {"a", "b"})
    ("SELECT $a, $b, x[1:a], ':a'", ['a', 'b'])
    """
    texts: list[str] = []
    found: list[str] = []
    for kind, text in pieces:
        name = text[1:]
        if kind == "colon" and name in names:
            text = "$" + name
        elif kind != "parameter":
            name = ""
        if name in names and name not in found:
            found.append(name)
        texts.append(text)
    return "".join(texts), found


class ManyRows(NamedTuple):
    """An INSERT of one row of values, as one of many rows from lists."""

    sql: str
    names: list[str]  # of the parameters, in order; empty texts: by position


def insert_of_lists(pieces: list[Token], names: Collection[str]) -> ManyRows | None:
    """``INSERT INTO t (a, b) VALUES (?, lower(?))`` as an INSERT of lists that are parameters; None
    when it is anything else.

    >>> print(insert_of_lists(list(tokens("INSERT INTO t (a) VALUES (lower(?))")), ()).sql)
    INSERT INTO t (a) SELECT lower("?1") FROM (SELECT unnest($1) AS "?1")
    """
    words = [at for at, piece in enumerate(pieces) if piece.kind != "space"]
    if len(words) > 1 and pieces[words[-1]].text == ";":
        words.pop()
    if len(words) < 6 or [pieces[at].text.upper() for at in words[:2]] != ["INSERT", "INTO"]:
        return None
    start = next((at for at in words if pieces[at].text.upper() == "VALUES"), None)
    if start is None or not _is_one_row([pieces[at] for at in words if at > start]):
        return None
    found: list[str] = []
    row: list[str] = []
    for kind, text in pieces[start + 1 : words[-1] + 1]:
        is_parameter = kind == "parameter" or (kind == "colon" and text[1:] in names)
        if not is_parameter:
            row.append(text)
            continue
        name = "" if text == "?" else text[1:]
        if not name or name not in found:
            found.append(name)
        row.append(f'"?{found.index(name) + 1 if name else len(found)}"')
    if not found or any(name.isdigit() for name in found) or len(set(map(bool, found))) > 1:
        return None
    head = "".join(piece.text for piece in pieces[:start])
    values = "".join(row).strip()[1:-1].strip()
    lists = ", ".join(f'unnest(${at}) AS "?{at}"' for at in range(1, len(found) + 1))
    return ManyRows(f"{head}SELECT {values} FROM (SELECT {lists})", found)


def _is_one_row(pieces: list[Token]) -> bool:
    """One pair of parentheses around it all, and no query inside."""
    depth = 0
    for at, piece in enumerate(pieces):
        depth += {"(": 1, ")": -1}.get(piece.text, 0)
        if depth == 0 and at + 1 < len(pieces):
            return False
        if piece.text.upper() in ("SELECT", "DEFAULT", "NEXTVAL", "RANDOM", "UUID"):
            return False
    return bool(pieces) and depth == 0
