"""Predicting photos: detects the faces first and gives one row per face, with its box."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from training.commands.shared.output import Report
from training.commands.shared.predict_all import predict_images
from training.errors import UserError
from training.faces.images.crops import cut, square_crop
from training.faces.images.face_detector import FaceDetector
from training.faces.images.reading import as_channels, read_image
from training.faces.labels.samples import face_name
from training.storage.runs.model.starters import room_for

if TYPE_CHECKING:
    from training.learning.inference.predictor import Predictor

# cells of KEY, points [B, K, 2], confidences [B, K]
Rows = Iterator[tuple[list[tuple[str, ...]], np.ndarray, np.ndarray]]
KEY = ("image", "face", "box_x", "box_y", "box_w", "box_h")  # columns before the points'


def face_rows(files: list[tuple[str, Path]], predictor: Predictor, left_out: list[str], report: Report) -> Rows:
    """The predictions of all detected faces, in px of the upright photos.

    For a photo that is unreadable or has no face, a sentence goes into left_out.
    """
    detector, room = FaceDetector(), room_for(predictor.schema)
    for done, (name, path) in enumerate(files, 1):
        try:
            image = read_image(path, channels=3)
        except UserError as error:
            left_out.append(str(error))
            continue
        boxes = detector.find(as_channels(image, 1))
        if len(boxes):
            crops = [square_crop(box, room) for box in boxes]
            points, confidences = predict_images(predictor, [cut(image, crop) for crop in crops])
            corners = np.array(crops)[:, None, :2]
            yield [_key(name, n + 1, box) for n, box in enumerate(boxes)], points + corners, confidences
        else:
            left_out.append(
                f"{path}: no face was detected; crop it by hand, or predict the whole image without --faces detect."
            )
        report(done / len(files), "")


def _key(image: str, number: int, box: np.ndarray) -> tuple[str, ...]:
    return (image, face_name(image, number), *(f"{value:.1f}" for value in box.tolist()))
