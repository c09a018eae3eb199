"""The settings of a run, in sections by concern; flat in files, on `--set` and in forms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import Field, dataclass, field, fields
from typing import Any, get_type_hints

from training.errors import UserError
from training.storage.runs.settings.sections import Augment, Budget, Data, Machine, Network, Objective, Optim
from training.storage.runs.settings.setting import check, setting, typed


@dataclass(frozen=True)
class RunConfig:
    """Everything that determines a run apart from its labels and images.

    Raises UserError when a value is out of range.
    """

    recipe: str = setting("ml-resnet", "Recipe that these settings come from.", page="Training")
    variant: str = setting(
        "default", "Our values, tuned for a CPU, or the paper's.", page="Training", choices=("default", "paper")
    )
    budget: Budget = field(default_factory=Budget)
    optim: Optim = field(default_factory=Optim)
    seed: int = setting(
        0, "Runs with the same seed see the same images in the same order.", page="Training", low=0, high=2**31 - 1
    )
    machine: Machine = field(default_factory=Machine)
    network: Network = field(default_factory=Network)
    objective: Objective = field(default_factory=Objective)
    data: Data = field(default_factory=Data)
    augment: Augment = field(default_factory=Augment)

    def __post_init__(self) -> None:
        check(self)

    @classmethod
    def of(cls, **values: Any) -> RunConfig:
        """The config with these settings, by their flat names; the others have their defaults."""
        sections = {
            name: kind(**{n: values[n] for n in names if n in values}) for name, (kind, names) in _SECTIONS.items()
        }
        own = {name: value for name, value in values.items() if _of_known(name) is None}
        return cls(**own, **sections)

    def changed(self, **values: Any) -> RunConfig:
        """The config with these settings changed, by their flat names. Raises UserError."""
        return RunConfig.of(**{**self.to_json(), **values})

    def value(self, name: str) -> Any:
        """A setting by its flat name."""
        section = _of_known(name)
        return getattr(self if section is None else getattr(self, section), name)

    def to_json(self) -> dict[str, Any]:
        """Flat: setting -> value, in the order of SETTINGS."""
        return {name: self.value(name) for name in SETTINGS}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> RunConfig:
        """The config from `to_json`'s values; missing settings keep their defaults. Raises UserError."""
        if not isinstance(values, Mapping):
            raise UserError("The settings are not a table of names and values.")
        for name in values:
            _of_known(name)
        return cls.of(**{name: typed(name, value, str(SETTINGS[name].type)) for name, value in values.items()})


def _flat() -> Iterator[tuple[str | None, Field[Any]]]:
    """(section, field) of every setting, in order; the section is None for RunConfig's own."""
    kinds = get_type_hints(RunConfig)
    for own in fields(RunConfig):
        if own.metadata:
            yield None, own
        else:
            yield from ((own.name, inner) for inner in fields(kinds[own.name]))


_SECTION_OF = {found.name: section for section, found in _flat()}
_SECTIONS: dict[str, tuple[type, tuple[str, ...]]] = {
    name: (kind, tuple(n for n, section in _SECTION_OF.items() if section == name))
    for name, kind in get_type_hints(RunConfig).items()
    if name not in _SECTION_OF
}
SETTINGS: dict[str, Field[Any]] = {found.name: found for _, found in _flat()}  # all settings by their flat names


def _of_known(name: str) -> str | None:
    """The section of a setting, None for RunConfig's own. Raises UserError where there is no such setting."""
    if name not in _SECTION_OF:
        raise UserError(f"There is no setting {str(name)[:80]!r}; the settings are {', '.join(SETTINGS)}.")
    return _SECTION_OF[name]


def with_overrides(config: RunConfig, texts: Mapping[str, str]) -> RunConfig:
    """The config with settings given as text (`--set key=value`, a form). An empty text or `none` clears a budget.

    Setting only one of epochs and minutes clears the other. Raises UserError naming the setting, also for recipe and
    variant, which have options of their own.
    """
    texts = {name.strip().replace("-", "_"): text for name, text in texts.items()}
    for name in ("recipe", "variant"):
        if name in texts:
            raise UserError(f"The setting {name} says where the others come from; choose it with --{name}.")
    values = config.to_json()
    for budget, other in (("epochs", "minutes"), ("minutes", "epochs")):
        if _given(texts, budget) and not _given(texts, other):
            values[other] = None
    return RunConfig.from_json({**values, **texts})


def with_budget(config: RunConfig, *, epochs: int | None = None, minutes: float | None = None) -> RunConfig:
    """The config with this budget; unchanged where neither is given."""
    return config if epochs is None and minutes is None else config.changed(epochs=epochs, minutes=minutes)


def _given(texts: Mapping[str, str], name: str) -> bool:
    return texts.get(name, "").strip().lower() not in ("", "none")
