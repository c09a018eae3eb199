"""The interface's greys and accents, light and dark."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Colours:
    """Interface colours as `#RRGGBB`. Text and dim text have a contrast of at least 4.5:1 on window and panel."""

    dark: bool
    window: str  # the frame around panels
    panel: str  # contents of panels: lists, forms, plots
    raised: str  # buttons and fields
    hover: str
    line: str  # hairlines
    edge: str  # borders of fields and buttons, 3:1 on panel
    text: str
    dim: str  # headings, units, hints
    accent: str  # fills: the one filled button, selection marks
    accent_text: str  # text on accent
    link: str  # accent as text or thin line on panel
    selection: str  # the background of a selected row
    danger: str  # error text
    canvas: str  # around the image


DARK = Colours(
    dark=True, window="#1E1F22", panel="#26282C", raised="#303338", hover="#3A3D43", line="#393C41", edge="#7D828A",
    text="#D6D8DC", dim="#A9AEB6", accent="#0072B2", accent_text="#FFFFFF", link="#6DB8EA", selection="#1F425A",
    danger="#FF9A6B", canvas="#17181A",
)  # fmt: skip
LIGHT = Colours(
    dark=False, window="#F6F6F7", panel="#FFFFFF", raised="#FFFFFF", hover="#ECEDEF", line="#DCDEE1", edge="#868C95",
    text="#1F2328", dim="#5D646D", accent="#0072B2", accent_text="#FFFFFF", link="#0067A0", selection="#D3E8F5",
    danger="#A84300", canvas="#E7E8EA",
)  # fmt: skip
