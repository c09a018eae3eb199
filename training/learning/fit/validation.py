"""How the averaged model of a run does on its val faces, and the confidence that is calibrated on them."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from training.assist.filling.model import FillModel, fit_fill
from training.faces.measures import metrics
from training.faces.measures.calibration import Calibration, face_sizes, fit_calibration
from training.learning.fit.step.trainer import Trainer
from training.learning.fit.troubles.units import watched_units
from training.learning.inference.averaged_views import averaged_points, points_and_disagreement, views_of
from training.learning.inference.device import mixed_precision
from training.storage.runs.events import EpochDone


@torch.inference_mode()
def predict_val(trainer: Trainer) -> np.ndarray:
    """The averaged model's points of the val rows, [V, K, 2], px of the input."""
    model, config = trainer.average.ready(), trainer.config
    parts = []
    with mixed_precision(trainer.device, trainer.precision):
        for x, scheme in trainer.inputs(trainer.data.val):
            points = averaged_points(
                model,
                x,
                flip=trainer.flip,
                flip_average=config.network.flip_average,
                upright=config.network.upright,
                scheme=scheme,
            )
            parts.append(points.float().cpu().numpy())
    return np.concatenate(parts)


def validate(trainer: Trainer, *, rate: float, speed: float) -> EpochDone:
    """Measure the averaged model on val; the best so far is kept in memory for the next save."""
    with watched_units(trainer.average.average) as trainer.watch.units:
        pred = predict_val(trainer)
    rows = torch.from_numpy(trainer.data.val).to(trainer.device)
    target, mask = trainer.points[rows], trainer.mask[rows]
    unit = trainer.stages.unit
    val_loss = float(trainer.loss(torch.from_numpy(pred).to(trainer.device) * unit, target * unit, mask))
    val = trainer.data.val
    result = metrics.evaluate(
        trainer.data.to_original(pred, val), trainer.val_points, trainer.data.schema, sizes=trainer.data.sizes[val]
    )
    trainer.watch.look_at_predictions(pred, target.cpu().numpy(), mask.cpu().numpy())
    return EpochDone(
        epoch=trainer.epoch + 1,
        train_loss=trainer.train_loss,
        val_loss=val_loss,
        rmse=result.rmse,
        nme=result.nme,
        normaliser=result.normaliser,
        ced=result.ced,
        auc=result.auc,
        failure_rate=result.failure_rate,
        per_keypoint=result.per_keypoint,
        learning_rate=rate,
        images_per_second=speed,
        seconds=trainer.elapsed,
        best=trainer.keep_if_best(result.rmse, result.nme),
        stage=trainer.stages.number,
        stages=trainer.stages.count,
    )


@torch.inference_mode()
def calibrate(trainer: Trainer, weights: dict[str, Tensor]) -> tuple[Calibration, FillModel | None]:
    """Fit the confidence of a model with these weights on val, and how its errors correlate (None: too few faces)."""
    model = copy.deepcopy(trainer.average.average)
    model.load_state_dict(weights)
    points, spreads, views, config = [], [], views_of(model), trainer.config
    with mixed_precision(trainer.device, trainer.precision):
        for x, scheme in trainer.inputs(trainer.data.val):
            p, d = points_and_disagreement(
                model,
                x,
                flip=trainer.flip,
                flip_average=config.network.flip_average,
                upright=config.network.upright,
                scheme=scheme,
                views=views,
            )
            points.append(p.float().cpu().numpy())
            spreads.append(d.float().cpu().numpy())
    found, data = np.concatenate(points), trainer.data
    labels, originals = trainer.val_points, data.sizes[data.val]
    fill = fit_fill(data.to_original(found, data.val), labels, originals)
    sizes = face_sizes(found, data.schema, width=config.network.input_size)
    errors = metrics.point_errors(data.to_original(found, data.val), labels)
    unit = metrics.normaliser(labels, "interocular", data.schema, sizes=originals)
    unit = np.where(np.isfinite(unit), unit, sizes * originals[:, 0])  # an eye lacks its label
    calibration = fit_calibration(np.concatenate(spreads), errors / unit[:, None], sizes)
    return replace(calibration, views=views), fill
