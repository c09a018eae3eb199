"""Stands in for `python -m training serve`: every face gets points at (id, 1), or it misbehaves on request."""

from __future__ import annotations

import base64
import json
import os
import sys
from pathlib import Path
from typing import Any

KEYPOINTS = 15
CHUNK = 8


def stamp(run: Path) -> str:
    """A copy of `training.storage.runs.model.prediction_stamp.model_stamp`, which takes a while to import."""
    found = [path.stat() for path in (run / "model.safetensors", run / "adjust.json") if path.exists()]
    return "+".join(f"{status.st_mtime_ns}-{status.st_size}" for status in found)


def answer(request: dict[str, Any], ids: list[int], *, done: bool) -> None:
    points = [[[i, 1.0]] * KEYPOINTS for i in ids]
    confidences = [[0.9] * KEYPOINTS for _ in ids]
    reply = {"id": request["id"], "ids": ids, "points": points, "confidences": confidences, "done": done}
    print(json.dumps({**reply, "model": stamp(Path(request["run"]))}), flush=True)


def main(mode: str, memory: Path) -> None:
    for line in sys.stdin:
        request: dict[str, Any] = json.loads(line)
        with memory.open("a") as file:
            file.write(line)
        if request["cmd"] == "predict":
            take(mode, request, memory)
        if request["cmd"] == "augment":
            draw(mode, request, memory)


def draw(mode: str, request: dict[str, Any], memory: Path) -> None:
    """A gray sheet whose first point has the setting rotation as its x."""
    if mode == "dying-once" and memory.read_text().count("\n") == 1:
        os._exit(11)
    if mode == "refusing":
        print(json.dumps({"id": request["id"], "error": "The image of face 3 is gone."}), flush=True)
        return
    count, side = len(request["ids"]), request["config"]["input_size"]
    images = base64.b64encode(bytes([100 + request["seed"]]) * (count * side * side)).decode()
    points = [[[request["config"]["rotation"], 5.0]] * KEYPOINTS] * count
    mask = [[True] * 4 + [False] * (KEYPOINTS - 4)] * count
    reply = {"id": request["id"], "size": [count, side, side, 1], "pictures": images, "points": points, "mask": mask}
    print(json.dumps(reply), flush=True)


def take(mode: str, request: dict[str, Any], memory: Path) -> None:
    number, ids = request["id"], request["ids"]
    if mode == "dying" or (mode == "dying-once" and memory.read_text().count("\n") == 1):
        answer(request, ids[:CHUNK], done=False) if mode == "dying-once" else None
        print("Segmentation fault", file=sys.stderr, flush=True)
        os._exit(11)
    if mode == "model-refused":
        said = {"id": number, "error": "The weights hold values that are no numbers; train again.", "refused": True}
        print(json.dumps(said), flush=True)
        return
    if mode == "refusing":
        print(json.dumps({"id": number, "error": "The model was made for 68 points, the project has 15."}), flush=True)
        return
    print("a library says hello", flush=True)
    for first in range(0, len(ids), CHUNK):
        answer(request, ids[first : first + CHUNK], done=first + CHUNK >= len(ids))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
