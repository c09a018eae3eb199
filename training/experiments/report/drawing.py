"""Style of the figures: light background, Okabe-Ito colours in the window's order, and output as SVG and PNG."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any, Literal

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

COLOURS = ("#E69F00", "#56B4E9", "#009E73", "#CC79A7", "#D55E00", "#0072B2", "#F0E442", "#999999")
DASHES = ("-", "--", "-.", ":")  # with the colours, never colour alone
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "h")
TEXT, DIM, LINE = "#1F2328", "#5D646D", "#DCDEE1"
STYLE: dict[Any, Any] = {
    "font.family": "sans-serif", "font.sans-serif": ["DejaVu Sans"], "font.size": 9.5, "text.color": TEXT,
    "axes.edgecolor": DIM, "axes.labelcolor": TEXT, "axes.linewidth": 0.8, "axes.spines.top": False,
    "axes.spines.right": False, "axes.grid": True,
    "grid.color": LINE, "grid.linewidth": 0.7, "axes.axisbelow": True, "xtick.color": DIM, "ytick.color": DIM,
    "axes.titlesize": 10.5, "axes.titleweight": "bold", "axes.titlelocation": "left", "axes.titlepad": 10,
    "legend.frameon": False, "figure.facecolor": "white",
    "svg.fonttype": "path", "svg.hashsalt": "fkp", "lines.linewidth": 1.8,
}  # fmt: skip
_NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}


def colour(place: int) -> str:
    """The colour of arm number `place`."""
    return COLOURS[place % len(COLOURS)]


def dashes(place: int) -> str:
    """The line style of arm number `place`."""
    return DASHES[place % len(DASHES)]


def new_figure(*, width: float = 7.4, height: float = 3.8) -> tuple[Figure, Axes]:
    """A figure with one axes, sizes in inches; use it inside `matplotlib.rc_context(STYLE)`."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()


def as_files(figure: Figure) -> tuple[str, bytes]:
    """The figure as SVG (deterministic) and as PNG."""
    with matplotlib.rc_context(STYLE):
        svg, png = io.StringIO(), io.BytesIO()
        figure.savefig(svg, format="svg", metadata=_NO_METADATA)
        figure.savefig(png, format="png", dpi=160)
    return svg.getvalue(), png.getvalue()


Place = Literal["best", "upper left", "lower center"]


def legend(axes: Axes, count: int, *, place: Place = "best") -> None:
    """Add a legend, in two columns if it has many entries."""
    axes.legend(loc=place, ncols=2 if count > 4 else 1, fontsize=8.5)


def bar_offsets(count: int, *, room: float = 0.8) -> tuple[float, Sequence[float]]:
    """Width of each of `count` bars side by side within `room`, and the offsets of their centres."""
    width = room / count
    return width, [(i - (count - 1) / 2) * width for i in range(count)]
