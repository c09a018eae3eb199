"""The keypoint schema of a project."""

from __future__ import annotations

import json

from training.errors import UserError
from training.faces.labels.schema import KeypointSchema
from training.files.json_values import parse_json
from training.storage.project.database import RESTORE, Database


def read_schema(database: Database) -> KeypointSchema:
    """Raises UserError where it is damaged."""
    found = database.one("SELECT value FROM meta WHERE key = 'schema'") or ("",)
    try:
        return KeypointSchema.from_json(parse_json(found[0]))
    except (TypeError, ValueError, UserError) as error:
        raise UserError(
            f"The project {database.folder} is damaged: its keypoints cannot be read ({error}). {RESTORE}"
        ) from error


def replace_schema(database: Database, before: KeypointSchema, after: KeypointSchema) -> None:
    """Raises UserError if the number of keypoints differs, or the project has not the schema `before` any more."""
    if len(after) != len(before):
        raise UserError(f"The project has {len(before)} keypoints, the new schema {len(after)}.")
    with database.transaction() as sql:
        if read_schema(database) != before:
            raise UserError("Another program has changed the keypoints meanwhile. Nothing was changed; try again.")
        sql.execute("UPDATE meta SET value = ? WHERE key = 'schema'", (json.dumps(after.to_json()),))
