"""keypoints.json beside exported .pts files: the schema, which the files themselves do not contain."""

from __future__ import annotations

import json
from pathlib import Path

from training.errors import UserError
from training.faces.labels.schema import SCHEMAS, KeypointSchema
from training.files.json_values import parse_json
from training.files.regular import read_bytes
from training.files.sentences import reading

KEYPOINTS = "keypoints.json"
_MAX_BYTES = 4 << 20  # 5,000 keypoints take a sixth of it


def write_keypoints(folder: Path, schema: KeypointSchema) -> None:
    """Write the schema into a folder of .pts files."""
    (folder / KEYPOINTS).write_text(json.dumps(schema.to_json(), indent=1), encoding="utf-8")


def read_keypoints(folder: Path) -> KeypointSchema | None:
    """The schema of a folder, or of the one above it; None where neither has one. Raises UserError naming the file."""
    path = next((p for p in (folder / KEYPOINTS, folder.absolute().parent / KEYPOINTS) if p.exists()), None)
    if path is None:
        return None
    with reading(path):
        data = read_bytes(path, limit=_MAX_BYTES)
    try:
        schema = KeypointSchema.from_json(parse_json(data))
    except (ValueError, UserError) as error:
        raise UserError(f"{path}: this is not a list of keypoints ({error}); replace or remove it.") from None
    known = SCHEMAS.get(schema.name)
    return known if known is not None and known.keypoints == schema.keypoints else schema
