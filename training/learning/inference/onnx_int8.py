"""Converts an ONNX graph's convolutions to 8-bit numbers, with ranges taken from real images."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from training.errors import UserError
from training.files.sentences import writing

CALIBRATION = 100  # images that the ranges are taken from
_BATCH = 10


def int8(graph: bytes, images: np.ndarray) -> bytes:
    """The graph with 8-bit convolutions (weights with a range per channel). images [N, C, S, S]: in its input format.

    Everything else is unchanged: normalisation, soft-argmax and offsets need full precision. Raises UserError where
    there is no convolution.
    """
    import onnx
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    convolutions = [node.name for node in onnx.load_from_string(graph).graph.node if node.op_type == "Conv"]
    if not convolutions:
        raise UserError("This network has no convolutions: 8-bit numbers would gain nothing. Export it without --int8.")
    logger = logging.getLogger()
    level = logger.level
    with writing(Path(tempfile.gettempdir())), tempfile.TemporaryDirectory() as scratch:
        source, out = Path(scratch) / "float.onnx", Path(scratch) / "int8.onnx"
        source.write_bytes(graph)
        logger.setLevel(logging.ERROR)  # it recommends a pre-processing that these graphs do not need
        try:
            quantize_static(
                source,
                out,
                _reader(images),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                nodes_to_quantize=convolutions,
            )
        finally:
            logger.setLevel(level)
        return out.read_bytes()


def _reader(images: np.ndarray) -> Any:
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        """Supplies the images batch by batch."""

        def __init__(self) -> None:
            self._batches: Iterator[np.ndarray] = (images[n : n + _BATCH] for n in range(0, len(images), _BATCH))

        def get_next(self) -> dict[str, np.ndarray] | None:
            batch = next(self._batches, None)
            return None if batch is None else {"pictures": batch}

    return Reader()
