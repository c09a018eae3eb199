"""Predicts points with dlib's 68-point model or MediaPipe's face mesh, each in its own environment.

    python benchmarks/foreign_points.py mediapipe faces15.csv --out faces15.mediapipe.npz [--box 1.25] [--passes 2] [--detector]
    python benchmarks/foreign_points.py dlib faces15.csv --out faces15.dlib.npz [--box 0.8] [--down 0.05] [--passes 2] [--detector]

Needs only NumPy, OpenCV and that predictor, not this project. The list comes from `comparison_data.py`: picture, x, y,
side of the frame, split. Each frame is enlarged to `--side` px with a margin of half a frame on every side (from the
image if it reaches that far, else with its border repeated), and the predictor is given a square box in the frame:
--box is its side and --down the shift of its centre, both in sides of the frame. With several boxes (`1.25,1,1.5`) the
next one is tried if no face is found, and the predictor's own detector last. With --passes 2 the box of the second pass
comes from the points of the first, as MediaPipe does in a video. With --detector the predictor finds the face itself,
and the boxes are used only if it finds none. --only, --first: use a part of the list. Output: points [N, V, 2], px of
the frame at 96x96, NaN if nothing was found, and milliseconds of processor time per face on one core.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np

SIDE = 96

GRAPH = """
input_stream: "image"
input_stream: "roi"
output_stream: "landmarks"
input_side_packet: "with_attention"
node {
  calculator: "FaceLandmarkCpu"
  input_stream: "IMAGE:image"
  input_stream: "ROI:roi"
  input_side_packet: "WITH_ATTENTION:with_attention"
  output_stream: "LANDMARKS:landmarks"
}
"""


@dataclass(frozen=True)
class Box:
    """A square in px of the enlarged crop, from its edge, rotated by `angle` (radians, clockwise in the image)."""

    x: float
    y: float
    side: float
    angle: float = 0.0


class Foreign(Protocol):
    """A predictor. crop: uint8 [S, S, 3], RGB. Points are px of the crop from its edge, [V, 2], or None."""

    def points(self, crop: np.ndarray, box: Box) -> np.ndarray | None: ...

    def next_box(self, points: np.ndarray) -> Box: ...

    def detect(self, crop: np.ndarray) -> np.ndarray | None: ...


class MediaPipe:
    """The face mesh with irises, 478 points: its landmark network in a given box, or FaceMesh with its detector."""

    def __init__(self) -> None:
        import mediapipe
        from google.protobuf import text_format
        from mediapipe.framework import calculator_pb2
        from mediapipe.framework.formats import rect_pb2
        from mediapipe.python.solution_base import SolutionBase

        graph = text_format.Parse(GRAPH, calculator_pb2.CalculatorGraphConfig())
        self._rect = rect_pb2.NormalizedRect
        self._mesh: Any = SolutionBase(graph_config=graph, side_inputs={"with_attention": True}, outputs=["landmarks"])
        self._whole: Any = mediapipe.solutions.face_mesh.FaceMesh(
            static_image_mode=True, max_num_faces=1, refine_landmarks=True, min_detection_confidence=0.1
        )

    def points(self, crop: np.ndarray, box: Box) -> np.ndarray | None:
        size = len(crop)
        roi = self._rect(
            x_center=box.x / size,
            y_center=box.y / size,
            width=box.side / size,
            height=box.side / size,
            rotation=box.angle,
        )
        found = self._mesh.process({"image": crop, "roi": roi}).landmarks
        return _array(found, size) if found else None

    def next_box(self, points: np.ndarray) -> Box:
        """As MediaPipe's face_landmark_landmarks_to_roi: rotated with the eyes, 1.5 times the points' extent."""
        across = points[263] - points[33]
        angle = float(np.arctan2(across[1], across[0]))
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        upright = points @ turn.T
        low, high = upright.min(axis=0), upright.max(axis=0)
        x, y = turn.T @ ((low + high) / 2)
        return Box(float(x), float(y), 1.5 * float((high - low).max()), angle)

    def detect(self, crop: np.ndarray) -> np.ndarray | None:
        found = self._whole.process(crop).multi_face_landmarks
        return _array(found[0], len(crop)) if found else None


def _array(landmarks: Any, size: int) -> np.ndarray:
    return np.array([(p.x, p.y) for p in landmarks.landmark]) * size


class Dlib:
    """The 68-point regression trees from the package face_recognition_models."""

    def __init__(self) -> None:
        import dlib
        import face_recognition_models

        self._dlib: Any = dlib
        self._predictor: Any = dlib.shape_predictor(face_recognition_models.pose_predictor_model_location())
        self._detector: Any = dlib.get_frontal_face_detector()

    def points(self, crop: np.ndarray, box: Box) -> np.ndarray | None:
        left, top, side = round(box.x - box.side / 2), round(box.y - box.side / 2), round(box.side)
        return self._shape(crop, self._dlib.rectangle(left, top, left + side - 1, top + side - 1))

    def next_box(self, points: np.ndarray) -> Box:
        """The box that its own detector would give around these points (measured: median of 117 detected faces)."""
        low, high = points.min(axis=0), points.max(axis=0)
        side = float((high - low).max())
        x, y = (low + high) / 2
        return Box(float(x), float(y) - 0.1 * side, 1.01 * side)

    def detect(self, crop: np.ndarray) -> np.ndarray | None:
        found, scores, _ = self._detector.run(crop, 0, -0.5)
        return self._shape(crop, found[int(np.argmax(scores))]) if len(found) else None

    def _shape(self, crop: np.ndarray, rectangle: Any) -> np.ndarray:
        shape = self._predictor(crop, rectangle)
        return np.array([(p.x, p.y) for p in shape.parts()]) + 0.5


def crop_of(image: np.ndarray, frame: np.ndarray, side: int) -> np.ndarray:
    """The frame at side x side px with half a side of margin all around: uint8 [2 * side, 2 * side, 3]."""
    x, y, size = frame
    scale = side / size
    matrix = np.array([[scale, 0, (0.5 - x) * scale - 0.5 + side / 2], [0, scale, (0.5 - y) * scale - 0.5 + side / 2]])
    return cv2.warpAffine(image, matrix, (2 * side, 2 * side), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def predict(foreign: Foreign, crop: np.ndarray, args: argparse.Namespace) -> np.ndarray | None:
    """Points of one crop, px of the crop from its edge; None if no face is found."""
    found = foreign.detect(crop) if args.detector else None
    for side in map(float, args.box.split(",")):
        found = in_box(foreign, crop, side, args) if found is None else found
    return foreign.detect(crop) if found is None else found


def in_box(foreign: Foreign, crop: np.ndarray, side: float, args: argparse.Namespace) -> np.ndarray | None:
    """Points in the given box, then in the boxes that follow from them."""
    found = foreign.points(crop, Box(args.side, args.side * (1 + args.down), args.side * side))
    for _ in range(args.passes - 1):
        better = None if found is None else foreign.points(crop, foreign.next_box(found))
        found = found if better is None else better
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("predictor", choices=["mediapipe", "dlib"])
    parser.add_argument("list", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--box", default="1.0")
    parser.add_argument("--down", type=float, default=0.0)
    parser.add_argument("--passes", type=int, default=1)
    parser.add_argument("--detector", action="store_true")
    parser.add_argument("--only", choices=["train", "val"])
    parser.add_argument("--first", type=int)
    args = parser.parse_args()
    one_core()
    foreign: Foreign = MediaPipe() if args.predictor == "mediapipe" else Dlib()
    with args.list.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if args.only in (None, row["split"])][: args.first]
    found = [measure(foreign, row, args) for row in rows]
    shown = max((p.shape for p, _ in found if p is not None), default=(0, 2))
    none = np.full(shown, np.nan)
    points = np.stack([none if p is None else (p / args.side - 0.5) * SIDE - 0.5 for p, _ in found])
    settings = {k: v for k, v in vars(args).items() if k not in ("out", "list")}
    milliseconds = np.array([ms for _, ms in found])
    np.savez_compressed(
        args.out, points=points.astype(np.float32), milliseconds=milliseconds, settings=json.dumps(settings)
    )
    missing = int(np.isnan(points).any(axis=(1, 2)).sum())
    print(f"{args.out.name}: {len(points)} faces, {missing} not detected, {np.median(milliseconds):.1f} ms per face")


def measure(foreign: Foreign, row: dict[str, str], args: argparse.Namespace) -> tuple[np.ndarray | None, float]:
    """Points of the face in a row of the list, and their processor time without reading and enlarging."""
    image = cv2.imread(row["picture"])
    if image is None:
        raise SystemExit(f"{row['picture']}: this image cannot be read.")
    crop = crop_of(image, np.array([float(row[k]) for k in ("x", "y", "side")]), args.side)
    crop = np.ascontiguousarray(crop[:, :, ::-1])
    begun = time.process_time()
    found = predict(foreign, crop, args)
    return found, 1000 * (time.process_time() - begun)


def one_core() -> None:
    """Run on one core, if the system supports it."""
    cv2.setNumThreads(1)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


if __name__ == "__main__":
    main()
