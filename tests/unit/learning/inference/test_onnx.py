"""ONNX files: onnxruntime alone gives the same points as the predictor."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from tests.helpers.training_data import SCHEMA, tiny_config
from training.cli import main
from training.errors import UserError
from training.learning.inference.checkpoint import ModelInfo, save_model
from training.learning.inference.onnx import PointGraph, export_onnx
from training.learning.inference.predictor import Predictor
from training.learning.models.learned_offsets import offsets_of
from training.learning.models.registry import make_model
from training.learning.models.staged.base import StagedNet
from training.storage.project.project import Project
from training.storage.runs.run import Run
from training.storage.runs.settings.recipes import recipe_config


def model_file(path: Path, recipe: str, side: int) -> Path:
    """An untrained network whose offsets, statistics and second stage affect the result."""
    config = recipe_config(recipe).changed(input_size=side, flip_average=True)
    torch.manual_seed(1)
    model = make_model(config, len(SCHEMA))
    if isinstance(model, StagedNet):
        model.begin(2)
    for part in model.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.running_mean.normal_(0, 0.1)  # type: ignore[union-attr]
    if (offsets := offsets_of(model)) is not None:
        torch.nn.init.normal_(offsets.common)
    save_model(path, model.state_dict(), ModelInfo(config, SCHEMA, "float32"))
    return path


@pytest.mark.parametrize(("recipe", "side"), [("fast", 32), ("cnn-6-7", 64), ("cascade", 64)])
def test_a_graph_of_any_batch_gives_the_predictors_points(tmp_path: Path, recipe: str, side: int) -> None:
    source = model_file(tmp_path / "m.safetensors", recipe, side)
    out = tmp_path / "m.onnx"
    report = export_onnx(Run(source), out)
    assert f"{out}" in report.sentence
    assert "on 64 images" in report.sentence
    colour = recipe == "cnn-6-7"
    shape = (5, side, side, 3) if colour else (5, side, side)
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    session = onnxruntime.InferenceSession(out, providers=["CPUExecutionProvider"])
    fed = images.transpose(0, 3, 1, 2) if colour else images[:, None]
    points = session.run(["points"], {"pictures": fed})[0]
    wanted = Predictor.load(Run(source)).predict_points(images)
    assert points.shape == (5, 3, 2)
    assert np.allclose(points, wanted, atol=1e-2)
    about = session.get_modelmeta().custom_metadata_map
    assert json.loads(about["keypoints"]) == list(SCHEMA.keypoints)
    assert json.loads(about["flip"]) == list(SCHEMA.flip)
    assert (about["input_size"], about["channels"], about["input_type"]) == (str(side), "3" if colour else "1", "uint8")
    assert about["mirrored_view_averaged"] == "true"
    assert "unknown" in about["licence_of_training_data"]


def test_float_images_and_one_view(tmp_path: Path) -> None:
    source = model_file(tmp_path / "m.safetensors", "fast", 32)
    out = tmp_path / "m.onnx"
    assert main(["export", str(source), str(out), "--format", "onnx", "--no-mirrored", "--input", "float32"]) == 0
    session = onnxruntime.InferenceSession(out, providers=["CPUExecutionProvider"])
    images = np.random.default_rng(0).uniform(0, 255, (1, 1, 32, 32)).astype(np.float32)
    points = session.run(None, {"pictures": images})[0]
    predictor = Predictor.load(Run(source))
    graph = PointGraph(predictor.model, predictor.info, mirrored=False, offset=np.zeros(2))
    with torch.no_grad():
        assert np.allclose(points, graph(torch.from_numpy(images)).numpy(), atol=1e-2)


def test_eight_bit_convolutions_stay_near_the_model(
    tmp_path: Path, project_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = model_file(tmp_path / "m.safetensors", "fast", 32)
    plain, small = tmp_path / "plain.onnx", tmp_path / "small.onnx"
    export_onnx(Run(source), plain)
    report = export_onnx(Run(source), small, int8_from=project_path)
    assert small.stat().st_size < 0.6 * plain.stat().st_size  # 0.31 M weights, and a graph of two looks
    nodes = [node.op_type for node in onnx.load(small).graph.node]
    assert "DequantizeLinear" in nodes
    with Project.open(project_path, read_only=True) as project:
        images = project.images(project.ids(), size=32)[:, None]
    one, other = (onnxruntime.InferenceSession(f, providers=["CPUExecutionProvider"]) for f in (plain, small))
    change = other.run(None, {"pictures": images})[0] - one.run(None, {"pictures": images})[0]
    moved = float(np.sqrt(np.square(change).mean()))
    assert 0 < moved < 1 and report.moved == pytest.approx(moved, rel=0.05)
    assert f"move the project's points by {report.moved:.2f} px" in report.sentence
    assert json.loads(other.get_modelmeta().custom_metadata_map["keypoints"]) == list(SCHEMA.keypoints)
    assert main(["export", str(source), str(tmp_path / "n.onnx"), "--format", "onnx", "--int8"]) == 2
    assert "give a project, and its model with --run" in capsys.readouterr().err


def test_eight_bits_need_convolutions_and_images(tmp_path: Path, project_path: Path) -> None:
    source = model_file(tmp_path / "m.safetensors", "mlp", 32)
    with pytest.raises(UserError, match="no convolutions"):
        export_onnx(Run(source), tmp_path / "m.onnx", int8_from=project_path)
    assert not (tmp_path / "m.onnx").exists()


def test_what_cannot_be_exported_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "m.safetensors"
    save_model(source, make_model(tiny_config(), 3).state_dict(), ModelInfo(tiny_config(), SCHEMA, "float32"))
    assert main(["export", str(source), str(tmp_path / "m.bin"), "--format", "onnx"]) == 2
    assert "must end in .onnx" in capsys.readouterr().err
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "onnxruntime" else found(name))
    assert main(["export", str(source), str(tmp_path / "m.onnx"), "--format", "onnx"]) == 2
    assert "pip install 'fkp-studio[onnx]'" in capsys.readouterr().err
    assert not (tmp_path / "m.onnx").exists()
