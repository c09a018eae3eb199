"""The import step that crops images with faces into one sample per face, chunk by chunk."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from training.errors import UserError
from training.faces.images.crops import CropOptions, box_fault, box_of_points, crop_fault, square_crop
from training.faces.labels.labels import Labels
from training.faces.labels.samples import FLAG_OUTSIDE, SampleBatch
from training.sources.formats.problems import Findings, Problem
from training.sources.formats.reader import Chunk, check_points

_LEFT_OUT = -1  # side of a crop that is impossible
_SMALL = 0.4  # of the image's longer side: smaller faces should be cropped


@dataclass
class Cropper:
    """Crops the faces of one source. options None: by the source's crop columns if it has any, else not at all."""

    options: CropOptions | None
    findings: Findings
    _outside: int = 0
    _shares: list[float] = field(default_factory=list)  # of the image that faces fill, where none are cropped

    def __call__(self, chunk: Chunk) -> Chunk:
        """Raises UserError where the source has nothing to crop by."""
        batch = chunk.batch
        if len(batch) == 0 or batch.pixels is not None:
            self._check_pixels(batch)
            return chunk
        crops = self._crops(batch)
        if crops is None:
            self._note_shares(batch)
            return replace(chunk, batch=replace(batch, crops=None))
        kept = np.flatnonzero(crops[:, 2] >= 0)
        batch = replace(batch, crops=crops).take(kept)
        return Chunk(self._moved(batch), chunk.looks[kept], chunk.given[kept])

    def notes(self) -> list[str]:
        """Remarks to report when everything is read."""
        notes = []
        if self._outside:
            notes.append(
                f"{self._outside:,} faces have points outside their crop; a larger padding would keep them inside."
            )
        if self.faces_are_small:
            share = round(100 * float(np.median(self._shares)))
            notes.append(
                f"The faces fill about {share} % of their images' sides; import with --crop points to crop them."
            )
        return notes

    @property
    def faces_are_small(self) -> bool:
        """Whether images were kept whole although their faces are only a small part of them."""
        return bool(self._shares) and float(np.median(self._shares)) < _SMALL

    def _check_pixels(self, batch: SampleBatch) -> None:
        if len(batch) and self.options is not None and self.options.by != "none":
            raise UserError("Kaggle's images are already cropped; import them without --crop.")

    def _crops(self, batch: SampleBatch) -> np.ndarray | None:
        """int64 [B, 3], side 0 for an image kept whole, -1 for one skipped; None where all are kept whole."""
        options = self.options
        if options is None:
            return self._given(batch) if batch.crops is not None and batch.crops[:, 2].any() else None
        if options.by == "none":
            return None
        around = box_of_points(batch.labels.points)
        if options.by == "points":
            boxes = around
        elif batch.boxes is None:
            raise UserError(
                "There are no columns with the faces' boxes (box_x, box_y, box_w, box_h); add them, or crop by the "
                "points."
            )
        else:
            boxes = np.where(np.isfinite(batch.boxes).all(axis=1, keepdims=True), batch.boxes, around)
        return np.array([self._crop(batch, i, boxes[i], options) for i in range(len(batch))], np.int64)

    def _given(self, batch: SampleBatch) -> np.ndarray:
        """The source's crops, except those that do not fit their images."""
        crops = np.array(batch.crops, np.int64)
        for i, crop in enumerate(crops.tolist()):
            fault = crop_fault((crop[0], crop[1], crop[2]), _size(batch, i)) if crop[2] else ""
            if fault:
                crops[i] = self._left_out(batch, i, fault)
        return crops

    def _crop(self, batch: SampleBatch, i: int, box: np.ndarray, options: CropOptions) -> tuple[int, int, int]:
        size = _size(batch, i)
        known = bool(np.isfinite(box).all())
        fault = (
            box_fault(box, size, padding=options.padding) if known else "there is neither a box nor a point to crop by"
        )
        return self._left_out(batch, i, fault) if fault else square_crop(box, options.padding)

    def _left_out(self, batch: SampleBatch, i: int, fault: str) -> tuple[int, int, int]:
        file, _, row = batch.sources[i].rpartition("#")
        in_table = bool(file) and row.isdecimal()
        where, file = (f"{file}, row {row}", file) if in_table else (batch.sources[i],) * 2
        self.findings.left_out.append(Problem(f"{where}: skipped: {fault}; correct it.", file))
        return 0, 0, _LEFT_OUT

    def _moved(self, batch: SampleBatch) -> SampleBatch:
        """Sizes, points and flags relative to the crops instead of the files."""
        crops = batch.crops if batch.crops is not None else np.zeros((len(batch), 3), np.int64)
        sides, whole = crops[:, 2].astype(np.int32), crops[:, 2] == 0
        widths, heights = np.where(whole, batch.widths, sides), np.where(whole, batch.heights, sides)
        labels = Labels(**{**vars(batch.labels), "points": batch.labels.points - crops[:, None, :2]})
        outside = [bool(row.any()) for row in check_points(labels, widths=widths, heights=heights)]
        self._outside += int((np.array(outside, bool) & ~whole).sum())
        flags = batch.flags or ((),) * len(batch)
        added = tuple(
            tuple(dict.fromkeys((*f, FLAG_OUTSIDE))) if out else f for f, out in zip(flags, outside, strict=True)
        )
        return replace(batch, labels=labels, widths=widths, heights=heights, flags=added)

    def _note_shares(self, batch: SampleBatch) -> None:
        boxes = box_of_points(batch.labels.points)
        shares = boxes[:, 2:].max(axis=1) / np.maximum(batch.widths, batch.heights)
        complete = np.isfinite(batch.labels.points).all(axis=-1).sum(axis=1) > 2
        self._shares += shares[complete & np.isfinite(shares)].tolist()


def _size(batch: SampleBatch, i: int) -> tuple[int, int]:
    return int(batch.widths[i]), int(batch.heights[i])
