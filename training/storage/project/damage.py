"""What is wrong with the values of a project's database: looked for when reading has stumbled over one."""

from __future__ import annotations

import sqlite3

from training.errors import UserError
from training.faces.images.reading import MAX_SIDE
from training.faces.labels.schema import KeypointSchema
from training.files.json_values import parse_json
from training.storage.project.database import Database
from training.storage.project.guard import OF_VALUES
from training.storage.project.table_definitions import wrong_kind
from training.storage.project.tables.labels_codec import row_type
from training.storage.project.tables.packed_columns import CHUNK, ROW

_FARTHEST = 1 << 31  # px, of a crop's corner


def first_fault(database: Database) -> str:
    """What is wrong with the values of the database, in words; "" if nothing is. Reads all of it."""
    try:
        for look in (_kinds, _meta, _numbers, _lengths, _json, _places):
            fault = look(database)
            if fault:
                return fault
    except UserError as error:
        return str(error)
    except (sqlite3.Error, *OF_VALUES) as error:
        return f"its values cannot be read: {error}"
    return ""


def _kinds(database: Database) -> str:
    return wrong_kind(database.sql)


def _meta(database: Database) -> str:
    meta = dict(database.all("SELECT key, value FROM meta"))
    if not {"name", "schema"} <= set(meta):
        return "its name or its keypoints are missing"
    _schema(database)
    return ""


def _schema(database: Database) -> KeypointSchema:
    found = database.one("SELECT value FROM meta WHERE key = 'schema'") or ("",)
    return KeypointSchema.from_json(parse_json(found[0]))


def _numbers(database: Database) -> str:
    least, most, count = database.one("SELECT min(id), max(id), count(*) FROM samples") or (None, None, 0)
    if count and (least, most) != (1, count):
        return "samples are missing"
    for table in ("labels", "faces", "source_cells"):
        row = database.one(f"SELECT min(id), max(id), count(*) FROM {table}") or (None, None, 0)
        if (row[2] and not 1 <= row[0] <= row[1] <= count) or (table == "labels" and row[2] != count):
            return f"the rows of {table} do not belong to the samples"
    return ""


def _lengths(database: Database) -> str:
    keypoints = len(_schema(database))
    count = (database.one("SELECT count(*) FROM samples") or (0,))[0]
    short, long = (row_type(keypoints, model=model).itemsize for model in (False, True))
    chunks = -(-count // CHUNK)
    queries = {
        "labels": ("SELECT 1 FROM labels WHERE length(data) NOT IN (?, ?)", (short, long)),
        "predictions": ("SELECT 1 FROM predictions WHERE length(data) <> ?", (12 * keypoints,)),
        "columns": ("SELECT 1 FROM columns WHERE length(data) <> ?", (CHUNK * ROW.itemsize,)),
        "columns of samples": (
            "SELECT 1 WHERE (SELECT count(*) FROM columns WHERE chunk BETWEEN 0 AND ?) <> ?",
            (chunks - 1, chunks),
        ),
        "cells": (
            "SELECT 1 FROM source_cells WHERE length(cells) - length(replace(cells, char(31), '')) <> ?",
            (2 * keypoints - 1,),
        ),
    }
    return next((f"{name} of a wrong length" for name, asked in queries.items() if database.one(*asked)), "")


def _json(database: Database) -> str:
    for query in ("SELECT flags FROM samples WHERE flags <> ''", "SELECT problems FROM imports"):
        for (text,) in database.sql.execute(query):
            values = parse_json(text)
            if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
                return "flags or problems that are no list of texts"
    return ""


def _places(database: Database) -> str:
    queries = {
        "an image without a place": (
            "SELECT 1 FROM samples s LEFT JOIN pixel_files p ON p.id = s.pixel_file LEFT JOIN folders f ON f.id = s.folder "
            "WHERE CASE WHEN s.pixel_file IS NULL THEN f.id IS NULL OR s.file IS NULL "
            "ELSE s.folder IS NOT NULL OR p.id IS NULL OR s.pixel_row IS NULL OR s.pixel_row NOT BETWEEN 0 AND p.count - 1 END"
        ),
        "an impossible crop": (
            f"SELECT 1 FROM faces WHERE crop_side NOT BETWEEN 0 AND {MAX_SIDE} "
            f"OR abs(crop_x) > {_FARTHEST} OR abs(crop_y) > {_FARTHEST} "
            "OR (crop_side > 0 AND (crop_x IS NULL OR crop_y IS NULL))"
        ),
        "an impossible number of a run": f"SELECT 1 FROM prediction_runs WHERE id NOT BETWEEN 1 AND {1 << 20}",
        "a step without a size": "SELECT 1 FROM step_parts WHERE count <= 0",
    }
    return next((fault for fault, query in queries.items() if database.one(query)), "")
