"""The tables that define the window are complete."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
from PySide6.QtGui import QKeySequence
from pytestqt.qtbot import QtBot

from fkp_studio.actions import ACTIONS, GROUPS
from fkp_studio.document.settings import SETTINGS, Settings
from fkp_studio.look.style import assets
from fkp_studio.look.style.interface_colours import DARK, LIGHT, Colours
from fkp_studio.window.arrangement.workspaces import PARTS, WORKSPACES
from fkp_studio.window.bars.menus import is_plain
from fkp_studio.window.pages.shortcuts import COLUMNS, keys_text

ICONS = sorted(path.stem for path in (Path(__file__).parents[3] / "resources" / "icons").glob("*.svg"))


def test_each_key_belongs_to_one_action() -> None:
    keys = Counter(QKeySequence(key).toString() for action in ACTIONS for key in action.keys)
    assert [key for key, count in keys.items() if count > 1] == []
    assert "" not in keys, "a key that Qt can't read"


def test_each_action_has_an_own_id_a_text_and_an_icon() -> None:
    assert len({a.id for a in ACTIONS}) == len(ACTIONS)
    for action in ACTIONS:
        assert action.text and action.group in GROUPS
        assert action.icon in ICONS, action.id


def test_the_documentation_lists_all_keys() -> None:
    text = (Path(__file__).parents[3] / "docs" / "window.md").read_text(encoding="utf-8")
    listed = [line for line in text[text.index("## Keys") :].splitlines() if line.startswith("|")][2:]
    assert listed == [
        f"| {action.group} | {action.text.rstrip('…')} | {', '.join(f'`{key}`' for key in action.keys)} |"
        for action in ACTIONS
        if action.keys
    ]


def test_each_group_is_in_the_overlay_of_keys() -> None:
    assert sorted(group for column in COLUMNS for group in column) == sorted(GROUPS)


def test_arrow_keys_are_drawn_as_arrows() -> None:
    by_id = {a.id: a for a in ACTIONS}
    assert keys_text(by_id["nudge"]) == "← → ↑ ↓"
    assert keys_text(by_id["nudge_fine"]) == "Shift ← → ↑ ↓"


@pytest.mark.parametrize(
    ("key", "plain"), [("D", True), ("Shift+F", True), ("?", True), ("Space", True), ("Ctrl+Z", False), ("F1", False)]
)
def test_plain_keys_are_those_that_type(key: str, plain: bool) -> None:
    assert is_plain(key) == plain


def test_icons_are_own_drawings_of_one_weight(qtbot: QtBot) -> None:
    for name in ICONS:
        text = assets.svg(name)
        assert 'viewBox="0 0 20 20"' in text and 'stroke="currentColor"' in text
        assert 'stroke-width="1.4"' in text
        assert not re.search(r"#[0-9a-fA-F]{3}", text), f"{name} has a colour of its own"
        assert not assets.icon(name).pixmap(20, 20).toImage().isNull()


def test_workspaces_name_actions_and_parts() -> None:
    ids, parts = {a.id for a in ACTIONS}, {p.id for p in PARTS}
    for workspace in WORKSPACES:
        assert workspace.id in ids
        assert set(workspace.tall) | set(workspace.plots) <= parts
        assert abs(sum(workspace.tall.values()) - 1) < 1e-9


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda s: s.key)
def test_a_setting_is_kept_in_its_type(qtbot: QtBot, setting) -> None:
    value = setting.choices[-1][0] if setting.choices else setting.high
    value = type(setting.default)(value)
    Settings().set(setting.key, value)
    again = Settings().get(setting.key)
    assert again == value and type(again) is type(setting.default)


def test_a_setting_of_nonsense_reads_as_its_default(qtbot: QtBot, home: Path) -> None:
    file = home / "config" / "fkp-studio" / "fkp-studio.ini"
    file.parent.mkdir(parents=True)
    file.write_text("[settings]\npoint_size=huge\nminutes=-3\ntheme=pink\n")
    settings = Settings()
    assert [settings.get(k) for k in ("point_size", "minutes", "theme")] == [9, 6.0, "system"]
    with pytest.raises(ValueError, match="theme"):
        settings.set("theme", "pink")


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_text_can_be_read_on_every_ground(colours: Colours) -> None:
    for ground in (colours.window, colours.panel, colours.raised, colours.hover, colours.selection):
        for ink in (colours.text, colours.dim):
            assert contrast(ink, ground) >= 4.5, (ink, ground)
    for ground in (colours.window, colours.panel, colours.raised):
        assert contrast(colours.link, ground) >= 4.5
        assert contrast(colours.danger, ground) >= 4.5
        assert contrast(colours.edge, ground) >= 3.0
    assert contrast(colours.accent_text, colours.accent) >= 4.5
