"""Valid JSON values changed at one place, as a damaged or a stranger's file has them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

STRANGE: tuple[Any, ...] = (None, [], {}, [[1]], {"a": 1}, "", "x", "\0", 1e308, -1e308, -1, 0.5, 10**400, 2**63, True)
SPELT = ("NaN", "Infinity", "1e999", "[" * 100_000, '{"a":' * 50_000, "1" * 5000, "\ud800")  # no values of JSON


def mutated(value: Any, *, most: int = 40) -> Iterator[tuple[str, str]]:
    """(what was done, JSON text) with each node in turn as something else, and left out; `most` nodes of a list."""
    for path, _ in _nodes(value, (), most):
        name = "/".join(map(str, path)) or "all"
        for strange in STRANGE:
            yield f"{name} = {str(strange)[:20]}", json.dumps(_with(value, path, strange))
        for text in SPELT:
            marked = json.dumps(_with(value, path, "<here>"))
            yield f"{name} = {text[:20]!r}", marked.replace('"<here>"', text)
        if path:
            yield f"{name} left out", json.dumps(_without(value, path))


def _nodes(value: Any, path: tuple[Any, ...], most: int) -> Iterator[tuple[tuple[Any, ...], Any]]:
    yield path, value
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in list(keys)[:most] if isinstance(value, dict) else list(keys)[:2]:
        yield from _nodes(value[key], (*path, key), most)


def _with(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    changed = dict(value) if isinstance(value, dict) else list(value)
    changed[path[0]] = _with(value[path[0]], path[1:], new)
    return changed


def _without(value: Any, path: tuple[Any, ...]) -> Any:
    if len(path) > 1:
        return _with(value, path[:1], _without(value[path[0]], path[1:]))
    if isinstance(value, dict):
        return {key: inner for key, inner in value.items() if key != path[0]}
    return [inner for n, inner in enumerate(value) if n != path[0]]
