"""ResNet-50 against torch's own functions, and loading ImageNet weights."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import safetensors.torch
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.helpers.training_data import make_data, make_run, tiny_config
from training.errors import UserError
from training.learning.augment.batch import prepare
from training.learning.fit.initial_weights.pretrained import load_state_dict
from training.learning.fit.step.trainer import Trainer
from training.learning.fit.train_run import train_run
from training.learning.models import resnet50
from training.learning.models.registry import recipe_parameters
from training.learning.models.resnet50 import Bottleneck, ResNet50, resnet50_parameters
from training.storage.runs.events import RunFailed
from training.storage.runs.settings.recipes import recipe_config

State = dict[str, Tensor]


def network(channels: int = 3) -> ResNet50:
    return ResNet50(input_size=32, channels=channels, outputs=6, dropout=0.0).eval()


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """An eighth of the widths, for speed."""
    monkeypatch.setattr(resnet50, "_WIDTHS", (8, 16, 32, 64))
    monkeypatch.setattr(resnet50, "_STEM", 8)


@pytest.fixture
def imagenet(narrow: None) -> State:
    """Random weights named as in the published files, with classes."""
    torch.manual_seed(0)
    state = {k: torch.randn_like(v) * 0.05 if v.is_floating_point() else v for k, v in network().state_dict().items()}
    state = {k: v.abs() + 0.5 if k.endswith("running_var") else v for k, v in state.items() if "output" not in k}
    return {**state, "fc.weight": torch.zeros(10, 256), "fc.bias": torch.zeros(10)}


def test_the_backbone_has_as_many_parameters_as_published() -> None:
    assert resnet50_parameters(input_size=224, channels=3, outputs=0) == 23_508_032
    assert recipe_parameters(recipe_config("resnet-50"), 68) == 23_508_032 + 2049 * 136


def test_the_names_are_the_usual_ones() -> None:
    names = list(network().state_dict())
    assert len(names) == 320  # 53 convolutions, 53 normalisations of five values, and the output's two
    usual = (
        "conv1.weight",
        "bn1.running_mean",
        "layer1.0.downsample.0.weight",
        "layer1.0.downsample.1.num_batches_tracked",
        "layer2.3.bn3.bias",
        "layer3.5.conv2.weight",
        "layer4.2.conv3.weight",
    )
    assert set(usual) <= set(names)
    assert "layer1.1.downsample.0.weight" not in names


def test_a_block_is_the_formula_of_the_paper() -> None:
    torch.manual_seed(1)
    block = Bottleneck(8, 4, stride=2).double().eval()
    for name, value in block.state_dict().items():
        if "running_mean" in name:
            value.normal_()
        elif "running_var" in name:
            value.uniform_(0.5, 2)
    s = block.state_dict()

    def norm(x: Tensor, name: str) -> Tensor:
        mean, var, weight, bias = (
            s[f"{name}.{v}"].view(-1, 1, 1) for v in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / (var + 1e-5).sqrt() * weight + bias

    x = torch.randn(2, 8, 6, 6, dtype=torch.float64)
    y = norm(torch.einsum("oi,bihw->bohw", s["conv1.weight"][..., 0, 0], x), "bn1").clamp(min=0)
    y = norm(F.conv2d(F.pad(y, (1, 1, 1, 1)), s["conv2.weight"])[..., ::2, ::2], "bn2").clamp(
        min=0
    )  # v1.5: the 3x3 halves
    y = norm(torch.einsum("oi,bihw->bohw", s["conv3.weight"][..., 0, 0], y), "bn3")
    shortcut = torch.einsum("oi,bihw->bohw", s["downsample.0.weight"][..., 0, 0], x[..., ::2, ::2])
    assert torch.allclose(block(x), (y + norm(shortcut, "downsample.1")).clamp(min=0))


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_imagenet_weights_are_loaded_but_for_the_classes(imagenet: State, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"resnet50{suffix}"
    without_counters = {k: v for k, v in imagenet.items() if "num_batches" not in k}
    if suffix == ".pth":
        torch.save(without_counters, path)
    else:
        safetensors.torch.save_file(without_counters, path)
    net = network()
    output = net.output.weight.clone()
    load_state_dict(net, path)
    ours = net.state_dict()
    assert all(torch.equal(ours[k], v) for k, v in without_counters.items() if not k.startswith("fc."))
    assert torch.equal(net.output.weight, output)


def test_a_gray_image_gives_what_it_gives_three_times(imagenet: State, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    safetensors.torch.save_file(imagenet, path)
    colour, gray = network(3), network(1)
    for net in (colour, gray):
        load_state_dict(net, path)
    gray.output.load_state_dict(colour.output.state_dict())
    x = torch.randn(2, 1, 32, 32)
    assert torch.allclose(gray(x), colour(x.expand(-1, 3, -1, -1)), atol=1e-5)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_weights_of_another_network_are_told_with_the_first_keys(imagenet: State, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"other{suffix}"
    wrong = {k: v for k, v in imagenet.items() if not k.startswith("layer4")}
    wrong = {**wrong, "bn1.weight": torch.ones(3), "head.weight": torch.ones(2)}
    if suffix == ".pth":
        torch.save(wrong, path)
    else:
        safetensors.torch.save_file(wrong, path)
    with pytest.raises(UserError, match=re.escape(str(path))) as told:
        load_state_dict(network(), path)
    for part in ("missing (layer4.0.conv1.weight, ", "1 unexpected (head.weight)", "bn1.weight 3 in place of 8"):
        assert part in str(told.value)


@pytest.mark.usefixtures("narrow")
def test_a_malicious_or_broken_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trap = tmp_path / "trap"

    class Evil:
        def __reduce__(self) -> tuple[object, ...]:
            return trap.touch, ()

    path = tmp_path / "w.pth"
    torch.save({"conv1.weight": Evil()}, path)
    with pytest.raises(UserError, match=r"more than tensors.*Nothing in it was executed"):
        load_state_dict(network(), path)
    assert not trap.exists()
    torch.save([torch.ones(2)], path)
    with pytest.raises(UserError, match="not a state dict"):
        load_state_dict(network(), path)
    path.write_bytes(b"garbage")
    with pytest.raises(UserError, match="damaged"):
        load_state_dict(network(), path)
    (tmp_path / "w.safetensors").write_bytes(b"\xff" * 20)
    with pytest.raises(UserError, match="damaged"):
        load_state_dict(network(), tmp_path / "w.safetensors")
    monkeypatch.setattr("training.learning.fit.initial_weights.pretrained._LARGEST", 5)
    with pytest.raises(UserError, match="larger than"):
        load_state_dict(network(), path)
    with pytest.raises(UserError, match="no file"):
        load_state_dict(network(), tmp_path / "none.pth")


def test_weights_that_are_no_numbers_are_refused(imagenet: State, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    safetensors.torch.save_file({**imagenet, "bn1.bias": torch.full((8,), torch.nan)}, path)
    with pytest.raises(UserError, match=r"bn1\.bias"):
        load_state_dict(network(), path)


@pytest.mark.parametrize("kind", ["meta", "sparse", "complex", "eight bits", "whole numbers"])
def test_tensors_that_are_no_plain_weights_are_refused(imagenet: State, tmp_path: Path, kind: str) -> None:
    weight = imagenet["layer1.0.conv2.weight"]
    strange = {
        "meta": lambda: weight.to("meta"),
        "sparse": lambda: weight.to_sparse(),
        "complex": lambda: weight.to(torch.complex64),
        "eight bits": lambda: weight.to(torch.float8_e4m3fn),
        "whole numbers": lambda: weight.to(torch.int8),
    }[kind]()
    path = tmp_path / "w.pth"
    torch.save({**imagenet, "layer1.0.conv2.weight": strange}, path)
    with pytest.raises(UserError, match=r"layer1\.0\.conv2\.weight are not plain floating-point"):
        load_state_dict(network(), path)


def test_half_precision_is_taken_and_the_suffix_may_be_in_capitals(imagenet: State, tmp_path: Path) -> None:
    path = tmp_path / "W.SAFETENSORS"
    safetensors.torch.save_file({k: v.half() if v.is_floating_point() else v for k, v in imagenet.items()}, path)
    net = network()
    load_state_dict(net, path)
    assert torch.equal(net.conv1.weight, imagenet["conv1.weight"].half().float())


def test_a_run_starts_from_the_weights_of_its_file(imagenet: State, tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    torch.save(imagenet, path)
    data, snapshot = make_data(train=8, val=4)
    config = recipe_config("resnet-50").changed(pretrained=str(path), input_size=32, channels=1, device="cpu")
    trainer = Trainer(config, data)
    trainer.load_pretrained()
    for model in (trainer.model, trainer.average.ready()):
        assert torch.equal(model.get_parameter("network.layer3.1.conv2.weight"), imagenet["layer3.1.conv2.weight"])
    failed = train_run(make_run(tmp_path, tiny_config(pretrained=str(path)), snapshot), data=data)
    assert isinstance(failed, RunFailed)
    assert "Only resnet-50" in failed.message


def test_the_light_of_images_as_the_setting_says() -> None:
    gray = torch.tensor([[[0, 128], [64, 255]]], dtype=torch.uint8)
    assert prepare(gray, channels=1, pixels="unit").flatten().tolist() == [0, 0.5, 0.25, 255 / 256]
    colour = prepare(gray[..., None].expand(-1, -1, -1, 3), channels=3, pixels="imagenet")
    assert colour[0, :, 1, 1].tolist() == pytest.approx([(1 - 0.485) / 0.229, (1 - 0.456) / 0.224, (1 - 0.406) / 0.225])
    one = prepare(gray, channels=1, pixels="imagenet")
    assert one[0, 0, 0, 0].item() == pytest.approx(-0.449 / 0.226, abs=1e-5)
