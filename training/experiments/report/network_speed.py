"""Size and speed of the networks on this machine (Wing loss paper, Table 7), with random weights."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import matplotlib
import numpy as np
import torch
from matplotlib.figure import Figure
from torch import nn

from training.experiments.papers.definition import Arm, Claim, Experiment, network_config
from training.experiments.report.drawing import STYLE, colour, new_figure
from training.experiments.report.report import Drawn, Report, Said, Table, machine_facts
from training.learning.inference.device import mixed_precision, set_threads, to_channels_last
from training.learning.models.registry import count_parameters, make_model
from training.learning.models.staged.base import StagedNet

BATCH = 16
_ROUNDS = 5
_SECONDS = 0.25  # minimum length of one timing
_CAPTION = "Faces/s on one core, one at a time and in batches; error bars show the range of the timings."


@dataclass(frozen=True)
class NetworkSpeed:
    """One network. megabytes: its float32 weights, in 2^20 bytes. Timings: faces/s on one core, float [rounds].

    one_by_one: float32, batches of one. batched: float32, batches of 16. bfloat16: the same in bfloat16.
    """

    arm: Arm
    input_size: int
    channels: int
    parameters: int
    megabytes: float
    one_by_one: np.ndarray
    batched: np.ndarray
    bfloat16: np.ndarray


def measure_networks(
    experiment: Experiment,
    keypoints: int,
    *,
    report: Callable[[float], None],
    rounds: int = _ROUNDS,
    seconds: float = _SECONDS,
) -> list[NetworkSpeed]:
    """Measure all networks of the experiment with this many keypoints, interleaved so that noise affects all alike."""
    set_threads(1)
    models = [_make(arm, keypoints) for arm in experiment.arms]
    timings: list[list[tuple[float, float, float]]] = [[] for _ in models]
    for n in range(rounds + 1):  # the first round is a warm-up and is dropped
        for place, (arm, model) in enumerate(zip(experiment.arms, models, strict=True)):
            timings[place].append(_timings(arm, model, seconds))
            report((n + (place + 1) / len(models)) / (rounds + 1))
    return [_speed(*found) for found in zip(experiment.arms, models, timings, strict=True)]


def _make(arm: Arm, keypoints: int) -> nn.Module:
    config = network_config(arm)
    mean = torch.rand(keypoints, 2) * (config.network.input_size - 1)
    model = make_model(config, keypoints, mean_shape=mean)
    if isinstance(model, StagedNet):  # run all stages
        model.begin(2)
    return to_channels_last(model).eval()


def _speed(arm: Arm, model: nn.Module, timings: list[tuple[float, float, float]]) -> NetworkSpeed:
    config = network_config(arm)
    weights = sum(v.numel() * v.element_size() for v in model.state_dict().values())
    one, batched, half = np.array(timings[1:]).T
    return NetworkSpeed(
        arm,
        config.network.input_size,
        config.network.channels,
        count_parameters(model),
        weights / 2**20,
        one,
        batched,
        half,
    )


def _timings(arm: Arm, model: nn.Module, seconds: float) -> tuple[float, float, float]:
    return tuple(
        _rate(arm, model, *how, seconds=seconds) for how in ((1, "float32"), (BATCH, "float32"), (BATCH, "bfloat16"))
    )  # type: ignore[return-value]  # exactly three


@torch.inference_mode()
def _rate(arm: Arm, model: nn.Module, batch: int, precision: str, *, seconds: float) -> float:
    """Faces/s."""
    config = network_config(arm)
    x = torch.randn(batch, config.network.channels, config.network.input_size, config.network.input_size).contiguous(
        memory_format=torch.channels_last
    )
    with mixed_precision(torch.device("cpu"), precision):
        count, start = 0, time.perf_counter()
        while (spent := time.perf_counter() - start) < seconds or count == 0:
            model(x)
            count += 1
    return count * batch / spent


def speed_report(experiment: Experiment, found: list[NetworkSpeed], keypoints: int, *, project: str) -> Report:
    return Report(
        experiment=experiment,
        table=_table(experiment, found),
        said=(said := tuple(_claim(claim, found) for claim in experiment.claims)),
        summary=f"{sum(s.verdict == 'agrees' for s in said)} of {len(said)} claims agree.",
        notes=(
            "Speeds depend on the machine and its load: compare the rows of one table with each other.",
            "The paper gives the size of its own file format; ours counts weights as 4-byte numbers, in 2^20 bytes.",
        ),
        figures=(Drawn("speed", _CAPTION, _draw(found)),),
        more=(),
        details=(),
        facts={
            "project": project,
            "keypoints": str(keypoints),
            "measured": f"median of {len(found[0].one_by_one)} interleaved timings, one core, without flip averaging",
            **machine_facts(),
        },
        values={
            "experiment": experiment.name,
            "keypoints": keypoints,
            "arms": [
                {
                    "arm": s.arm.name,
                    "parameters": s.parameters,
                    "megabytes": s.megabytes,
                    "paper": dict(s.arm.paper),
                    "one_by_one": list(s.one_by_one),
                    "batched": list(s.batched),
                    "bfloat16": list(s.bfloat16),
                }
                for s in found
            ],
        },
    )


def _table(experiment: Experiment, found: list[NetworkSpeed]) -> Table:
    head = (
        "network",
        "input",
        "parameters",
        "paper",
        "weights MB",
        "paper",
        "faces/s one by one",
        "paper, CPU",
        f"faces/s, batches of {BATCH}",
        "the same in bfloat16",
    )
    rows = tuple(
        (
            s.arm.title,
            f"{s.input_size}x{s.input_size}x{s.channels}",
            f"{s.parameters:,}",
            _paper(s.arm, "parameters", 1e-6, " M"),
            f"{s.megabytes:.1f}",
            _paper(s.arm, "megabytes"),
            f"{np.median(s.one_by_one):,.0f}",
            _paper(s.arm, "one_by_one"),
            f"{np.median(s.batched):,.0f}",
            f"{np.median(s.bfloat16):,.0f}",
        )
        for s in found
    )
    return Table(experiment.title, head, rows)


def _paper(arm: Arm, name: str, factor: float = 1.0, unit: str = "") -> str:
    return f"{arm.paper[name] * factor:g}{unit}" if name in arm.paper else "–"


def _claim(claim: Claim, found: list[NetworkSpeed]) -> Said:
    """Test that `better` is faster. Clear if the slowest timing of one network beats the fastest of the other."""
    fast, slow = (next(s for s in found if s.arm.name == name) for name in (claim.better, claim.worse))
    times = float(np.median(fast.one_by_one) / np.median(slow.one_by_one))
    clear = fast.one_by_one.min() > slow.one_by_one.max() or slow.one_by_one.min() > fast.one_by_one.max()
    verdict = "undecided" if not clear else "agrees" if times > 1 else "disagrees"
    sentence = (
        f"{fast.arm.title} processes {times:.2g} times as many faces/s as {slow.arm.title}, one by one on one core."
    )
    theirs = fast.arm.paper["one_by_one"] / slow.arm.paper["one_by_one"]
    return Said(verdict, sentence, f"The paper: {claim.says}, {theirs:.2g} times.")


def _draw(found: list[NetworkSpeed]) -> Figure:
    with matplotlib.rc_context(STYLE):
        figure, axes = new_figure(height=1.2 + 0.42 * len(found))
        rows = np.arange(len(found))[::-1]
        for place, (name, title) in enumerate((("one_by_one", "one at a time"), ("batched", f"batches of {BATCH}"))):
            values = np.array([np.median(getattr(s, name)) for s in found])
            spread = np.array(
                [(v - getattr(s, name).min(), getattr(s, name).max() - v) for v, s in zip(values, found, strict=True)]
            ).T
            height = rows + (0.2 - 0.4 * place)
            axes.barh(height, values, 0.36, xerr=spread, color=colour(place), label=title, error_kw={"linewidth": 1})
        axes.set_yticks(rows, [s.arm.title for s in found])
        axes.set_xscale("log")
        axes.grid(visible=False, axis="y")
        axes.set_xlabel("faces/s on one core, float32 (log scale)")
        axes.set_title("Speed of the networks")
        axes.legend(loc="lower right", fontsize=8.5)
        return figure
