"""The papers' evaluation protocols: which faces, normaliser and thresholds, and the results that the papers report.

These functions evaluate given predictions; `training.learning.evaluation.evaluate` makes the predictions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from training.errors import UserError
from training.faces.labels.schema import KeypointSchema
from training.faces.measures.metrics import (
    LACKS,
    UNREADABLE,
    auc,
    detection_failures,
    failure_rate,
    nme_per_face,
    normaliser,
    rmse,
)


@dataclass(frozen=True)
class Measure:
    """An NME with one normaliser, and the thresholds for its AUC and failure rate."""

    normaliser: str
    auc_limit: float = 0.08
    failure_limit: float = 0.10

    @property
    def names(self) -> tuple[str, str, str]:
        """`nme_interocular`, `auc_interocular@0.08`, `fr_interocular@0.08`."""
        kind = self.normaliser
        return f"nme_{kind}", f"auc_{kind}@{self.auc_limit:.2f}", f"fr_{kind}@{self.failure_limit:.2f}"


@dataclass(frozen=True)
class Subset:
    """Some faces of a split. parts: the subsets, noted at import, that belong to it; (): the whole split."""

    name: str
    split: str
    parts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Protocol:
    """A protocol. with_rmse: adds RMSE and failures as in the masked-loss papers. reports: the papers' results."""

    name: str
    title: str
    schemas: tuple[str, ...]  # supported keypoint schemas; (): any
    subsets: tuple[Subset, ...]
    measures: tuple[Measure, ...]
    reports: tuple[str, ...]
    with_rmse: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        plain = ("rmse", "detection_failures") if self.with_rmse else ()
        return (*plain, *(name for measure in self.measures for name in measure.names))


@dataclass(frozen=True)
class ProtocolRow:
    """One subset's results. n: faces with a label. values: by the protocol's columns, NaN where no face counts.
    left_out: reason -> number of faces that do not count."""

    subset: str
    n: int
    values: dict[str, float]
    left_out: dict[str, int] = field(default_factory=dict)


PROTOCOLS: dict[str, Protocol] = {
    p.name: p
    for p in (
        Protocol(
            "kaggle",
            "Kaggle Facial Keypoints Detection",
            (),
            (Subset("val", "val"), Subset("test", "test")),
            (Measure("interocular"),),
            (
                "RMSE over labelled coordinates, px of the 96 x 96 images; Kaggle's own test labels are not public",
                "cascade report 2015: MLP 3.73; ML-ResNet 2017 (its test split): CNN 3.1, ML-CNN 2.36, ML-ResNet 2.23",
            ),
            with_rmse=True,
        ),
        Protocol(
            "300-w",
            "300-W: common, challenge, full",
            ("ibug-68",),
            (
                Subset("common", "test", ("lfpw", "helen")),
                Subset("challenge", "test", ("ibug",)),
                Subset("full", "test", ("lfpw", "helen", "ibug")),
            ),
            (Measure("interpupil", 0.10, 0.10), Measure("interocular", 0.08, 0.08)),
            (
                "inter-pupil NME in %, common / challenge / full (Wing loss 2018, Tables 4 and 5):",
                "CNN-6/7 + PDB: L2 4.18 / 8.19 / 4.97, L1 3.58 / 7.02 / 4.26, Wing 3.27 / 7.18 / 4.04",
                "CNN-6 + PDB (Wing) 3.35 / 7.20 / 4.10, ResNet-50 + PDB (Wing) 3.01 / 6.01 / 3.60",
            ),
        ),
        Protocol(
            "aflw",
            "AFLW: full, frontal",
            ("aflw-19",),
            (Subset("full", "test"), Subset("frontal", "test", ("frontal",))),
            (Measure("face_box", 0.07, 0.10),),
            (
                "NME by the width of the given square face box in %, AFLW-Full (Wing loss 2018, Tables 1, 5 and 6):",
                "CNN-6: L2 2.41, L1 2.00, smooth L1 2.02, Wing 1.88; CNN-6/7 + PDB (Wing) 1.65; ResNet-50 (Wing) 1.47",
            ),
        ),
        Protocol(
            "cofw",
            "COFW",
            ("cofw-29",),
            (Subset("test", "test"),),
            (Measure("interpupil", 0.10, 0.10), Measure("interocular", 0.10, 0.10)),
            ("the papers here do not report COFW; the usual measures are inter-pupil NME and failures over 10 %",),
        ),
    )
}


def get_protocol(name: str, schema: KeypointSchema) -> Protocol:
    """The protocol, for a project's keypoints. Raises UserError for an unknown name or unsupported keypoints."""
    if name not in PROTOCOLS:
        raise UserError(f"There is no protocol {name!r}; choose one of {', '.join(PROTOCOLS)}.")
    protocol = PROTOCOLS[name]
    if protocol.schemas and schema.name not in protocol.schemas:
        raise UserError(
            f"The protocol {name} is for the keypoints {' or '.join(protocol.schemas)}; the project has {schema.name}."
        )
    return protocol


def chosen_rows(protocol: Protocol, splits: Sequence[str], subsets: Sequence[str]) -> dict[str, np.ndarray]:
    """bool [N] per subset of the protocol: the samples in it. Raises UserError where all are empty."""
    split, part = np.array(splits, dtype=object), np.array(subsets, dtype=object)
    rows = {s.name: (split == s.split) & (np.isin(part, s.parts) if s.parts else True) for s in protocol.subsets}
    if not any(chosen.any() for chosen in rows.values()):
        wanted = sorted({word for s in protocol.subsets for word in s.parts})
        where = f" that came from {', '.join(wanted)}" if wanted else ""
        parts = " or ".join(sorted({s.split for s in protocol.subsets}))
        raise UserError(
            f"The project has no samples in its {parts} split{where}; import the data set's own folders, or evaluate"
            " with --split."
        )
    return rows


def measure_rows(
    protocol: Protocol,
    rows: dict[str, np.ndarray],
    pred: np.ndarray,
    target: np.ndarray,
    *,
    schema: KeypointSchema,
    sizes: np.ndarray,
    boxes: np.ndarray,
) -> tuple[ProtocolRow, ...]:
    """The protocol's table. rows: bool [N] per subset. pred, target: [N, K, 2], NaN in target where unlabelled, in pred
    where the image cannot be read. sizes [N, 2]: width and height. boxes [N, 4]: the source's, NaN where it gives none.
    """
    table = []
    for name, chosen in rows.items():
        labelled = np.isfinite(target[chosen]).all(axis=-1).any(axis=1)
        read = np.isfinite(pred[chosen]).all(axis=(1, 2))
        used = np.flatnonzero(chosen)[labelled & read]
        left_out = {"no label": int((~labelled).sum()), UNREADABLE: int((labelled & ~read).sum())}
        if not chosen.any():
            left_out["the project has no such faces"] = 0
        part = (pred[used], target[used])
        values = _plain(*part, sizes=sizes[used]) if protocol.with_rmse else {}
        for measure in protocol.measures:
            lengths = normaliser(target[used], measure.normaliser, schema, sizes=sizes[used], boxes=boxes[used])
            errors = nme_per_face(*part, lengths)
            left_out[LACKS[measure.normaliser]] = int((~np.isfinite(errors)).sum())
            values |= dict(zip(measure.names, _three(errors, measure), strict=True))
        kept = {why: count for why, count in left_out.items() if count or why.startswith("the project")}
        table.append(ProtocolRow(name, len(used), values, kept))
    return tuple(table)


def _plain(pred: np.ndarray, target: np.ndarray, *, sizes: np.ndarray) -> dict[str, float]:
    return {"rmse": rmse(pred, target), "detection_failures": detection_failures(pred, target, sizes=sizes)}


def _three(errors: np.ndarray, measure: Measure) -> tuple[float, float, float]:
    counted = errors[np.isfinite(errors)]
    mean = float(counted.mean()) if counted.size else float("nan")
    return mean, auc(errors, measure.auc_limit), failure_rate(errors, measure.failure_limit)


def shown(name: str, value: float) -> str:
    """A value of a row as text: errors and rates in percent, - where no face counts."""
    if value != value:
        return "-"
    return f"{100 * value:.2f}" if name.startswith(("nme_", "fr_", "detection_")) else f"{value:.4f}"


def remarks(rows: Sequence[ProtocolRow]) -> list[str]:
    """How many faces of which subset do not count, and why."""
    return [
        f"left out of {row.subset}: {count:,} ({why})" if count else f"{row.subset}: {why}"
        for row in rows
        for why, count in row.left_out.items()
    ]
