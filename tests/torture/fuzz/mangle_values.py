"""Spoils what a valid file says: the values of JSON, the members of an archive, the header of a model, rows of SQL.

The file stays a valid one of its kind, so that what reads it gets further than its first check.
"""

from __future__ import annotations

import contextlib
import io
import json
import random
import re
import sqlite3
import struct
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from tests.torture.fuzz.mangle import mangle_bytes, mangle_head

ODD: tuple[Any, ...] = (
    None, True, False, -1, 0, 1, 2**31, 2**70, -(2**70), 1.5, 1e308, float("inf"), float("nan"), "", "x", "15", "../..",
    "a" * 5000, "\0", "\ud800", [], {}, [[]], [None], {"a": 1}, [1] * 40,
)  # fmt: skip
_DEEP = b"[" * 100_000
_SHAPES = (b"(99999999999,)", b"(-1,)", b"()", b"(3, 0, 7)", b"(1,)", b"(2, 15, 2)")
_KINDS = (b"'|O'", b"'<f4'", b"'<U99'", b"'<i1'", b"'<c16'", b"'M8[s]'")
_HEADER = "fkp-studio"  # of a model: what it is


def mangle_json(data: bytes, draw: random.Random) -> bytes:
    """Other values, other keys, or another depth; or spoiled bytes."""
    if draw.random() < 0.25:
        return mangle_bytes(data, draw)
    values = json.loads(data)
    for _ in range(draw.choice((1, 1, 2))):
        _change_json(values, draw)
    if draw.random() < 0.02:
        return json.dumps(values).encode()[:-1] + b',"deep":' + _DEEP
    try:
        return json.dumps(values).encode("utf-8", "surrogatepass")
    except ValueError:  # it was put into itself
        return mangle_bytes(data, draw)


def mangle_lines_of_json(data: bytes, draw: random.Random) -> bytes:
    """As mangle_json, in one line of a file with one value per line."""
    lines = data.splitlines()
    at = draw.randrange(len(lines))
    lines[at] = mangle_json(lines[at], draw)
    return b"\n".join(lines) + b"\n"


def _change_json(values: Any, draw: random.Random) -> None:
    spots = list(places(values))
    if not spots:
        return
    node, key = draw.choice(spots)
    how = draw.randrange(5)
    if how < 3:
        node[key] = draw.choice(ODD)
    elif how == 3:
        del node[key]
    elif isinstance(node, dict):
        node[draw.choice(("x", "", str(key) * 2))] = node[key]
    else:
        node.append(node[key])


def places(node: Any) -> list[tuple[Any, Any]]:
    """Every (container, key or index) in nested dicts and lists."""
    keys = list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
    return [place for key in keys for place in ((node, key), *places(node[key]))]


def mangle_zip(data: bytes, draw: random.Random) -> bytes:
    """One member changed and the archive written again, so that its sums agree; or spoiled bytes."""
    if draw.random() < 0.3:
        return mangle_bytes(data, draw)
    with zipfile.ZipFile(io.BytesIO(data)) as source:
        members = {name: source.read(name) for name in source.namelist()}
    name = draw.choice(list(members))
    changed = {
        0: lambda body: mangle_head(body, draw),
        1: lambda body: re.sub(rb"(?<='shape': )\([^)]*\)", draw.choice(_SHAPES), body),
        2: lambda body: re.sub(rb"(?<='descr': )'[^']*'", draw.choice(_KINDS), body),
        3: lambda _: members[draw.choice(list(members))],
        4: lambda body: mangle_bytes(body, draw),
        5: lambda _: None,
    }[draw.randrange(6)](members.pop(name))
    members |= {} if changed is None else {name: changed}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", draw.choice((zipfile.ZIP_STORED, zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as new:
        for member, body in members.items():
            new.writestr(member, body)
    return out.getvalue()


def split_safetensors(data: bytes) -> tuple[dict[str, Any], bytes]:
    """(header, tensors' bytes)."""
    length = struct.unpack("<Q", data[:8])[0]
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def joined_safetensors(header: dict[str, Any], body: bytes) -> bytes:
    text = json.dumps(header).encode("utf-8", "surrogatepass")
    return struct.pack("<Q", len(text)) + text + body


def mangle_safetensors(data: bytes, draw: random.Random) -> bytes:
    """A model with another length of its header, another header, other tensors, or weights that are not finite."""
    header, body = split_safetensors(data)
    how = draw.randrange(6)
    if how == 0:
        return mangle_head(data, draw)
    if how == 1:
        return struct.pack("<Q", draw.choice((0, 1, len(data), 2**31, 2**63, 2**64 - 1))) + data[8:]
    if how == 2:
        numbers = np.frombuffer(body, np.uint8).copy()
        floats = numbers[: len(numbers) // 4 * 4].view("<f4")
        floats[draw.randrange(len(floats)) :] = draw.choice((np.nan, np.inf, 1e38, 0.0, -1e30))
        return joined_safetensors(header, numbers.tobytes())
    about = header["__metadata__"]
    name = draw.choice([name for name in header if name != "__metadata__"])
    if how == 3:
        about[_HEADER] = mangle_json(about[_HEADER].encode(), draw).decode("utf-8", "replace")
    elif how == 4:
        entries: tuple[Any, ...] = ({"dtype": "F32", "shape": [2**40], "data_offsets": [0, 4]}, {}, None)
        header[draw.choice((name, name + "x"))] = draw.choice(entries)
    else:
        header[name] = header[name] | {"dtype": draw.choice(("F16", "I64", "BOOL", "F64", "BF16", "F8_E4M3", "U8"))}
    return joined_safetensors(header, body)


def mangle_sql(data: bytes, draw: random.Random) -> bytes:
    """One statement that leaves a valid database with another content."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "project.db"
        path.write_bytes(data)
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as sql:
            sql.execute("PRAGMA journal_mode = DELETE")
            sql.execute("PRAGMA ignore_check_constraints = 1")
            with contextlib.suppress(sqlite3.Error):  # such as a value that the column's type does not allow
                statement, values = _statement(sql, draw)
                sql.execute(statement, values)
        return path.read_bytes()


def _statement(sql: sqlite3.Connection, draw: random.Random) -> tuple[str, tuple[object, ...]]:
    names = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name"
    table = draw.choice([name for (name,) in sql.execute(names)])
    column = draw.choice([row[1] for row in sql.execute(f"PRAGMA table_info({table})")])
    odd = (
        None, -1, 0, 1, 2**40, 2**62, 1.5, float("inf"), "", "x", "{}", "[]", "../../etc", "a" * 4000, b"", b"\0" * 7,
        draw.randbytes(30), draw.randbytes(390), b"x" * 270, "<img src=x>", "\n",
    )  # fmt: skip
    how = draw.randrange(10)
    if how < 4:
        one = f" WHERE {column} = (SELECT {column} FROM {table} LIMIT 1)"
        return f"UPDATE OR IGNORE {table} SET {column} = ?{one}", (draw.choice(odd),)
    if how < 6:
        return f"UPDATE OR IGNORE {table} SET {column} = ?", (draw.choice(odd),)
    return {
        6: f"DROP TABLE {table}",
        7: f"DELETE FROM {table}" + (f" WHERE {column} = (SELECT {column} FROM {table} LIMIT 1)" * draw.randrange(2)),
        8: f"PRAGMA user_version = {draw.choice((0, 1, 3, 99, -1))}",
        9: f"ALTER TABLE {table} RENAME COLUMN {column} TO other",
    }[how], ()


def foreign_database(data: bytes, draw: random.Random) -> bytes:
    """Something else in place of a database, or half of it."""
    magic = b"SQLite format 3\0"
    others = (b"", magic, magic + bytes(5000), data[:512], data[:4096], b"\x7fELF" + data[4:], b"hello", data * 2)
    return draw.choice((*others, data[::-1]))
