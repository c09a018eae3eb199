"""The trials of a search in Optuna's storage: drawing values, reporting errors, and recording how each ended."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from training.errors import UserError
from training.search.plan import SearchPlan, TrialInfo
from training.search.rungs import STEPS
from training.storage.runs.settings.search_space import Choices, setting_kinds

try:
    import optuna
    from optuna.trial import FrozenTrial, Trial, TrialState
    from sqlalchemy import Engine, event
    from sqlalchemy.exc import SQLAlchemyError
except ImportError as error:
    raise UserError(
        "The search needs Optuna, which is not installed. Install it with: pip install 'fkp-studio[search]'"
    ) from error

RUN, HOST, WORKER, BEAT, PRUNING, MESSAGE, SURPLUS = "run", "host", "worker", "beat", "pruning", "message", "surplus"
_PATIENCE = 60  # s to wait for another process's lock on a storage file
_FIRST_RUNG = STEPS // 5  # no pruning before a fifth of the budget, where the learning rate alone decides


class Study:
    """The Optuna study of a plan. Trials are identified by number; a number's values depend only on it and the seed.

    Raises UserError if the storage cannot be opened or belongs to another search.
    """

    def __init__(self, plan: SearchPlan, url: str) -> None:
        self.plan = plan
        self._open: dict[int, Trial] = {}
        optuna.logging.disable_default_handler()
        logging.getLogger("optuna").setLevel(logging.ERROR)
        with _storage_errors(url):
            local = url.startswith("sqlite:///")
            options = {"connect_args": {"timeout": _PATIENCE}} if local else {"pool_pre_ping": True}
            storage = optuna.storages.RDBStorage(url, engine_kwargs=options)
            if local:
                _write_ahead(storage.engine)
            self._study = optuna.create_study(
                storage=storage, study_name=plan.name, load_if_exists=True, pruner=_pruner(plan.pruner)
            )
            self._check_same()

    def _check_same(self) -> None:
        """Raise UserError unless the stored plan and labels are ours."""
        ours = {"plan": identity(self.plan)}
        theirs = self._study.user_attrs
        if "plan" not in theirs:
            self._study.set_user_attr("plan", ours["plan"])
        elif theirs["plan"] != ours["plan"]:
            different = sorted(key for key in ours["plan"] if theirs["plan"].get(key) != ours["plan"][key])
            raise UserError(
                f"The storage holds a different search named {self.plan.name}: its {', '.join(different)} "
                "differ. Choose another --name, or use the settings and labels it was started with."
            )

    # ---- drawing

    def ask(self, **attributes: Any) -> int | None:
        """The number of a new trial with these attributes; None if the requested number of trials has been started.

        Several processes may ask at once; one that gets a surplus trial gives it back.
        """
        if len(self._counted()) >= self.plan.trials:
            return None
        trial = self._study.ask()
        if sum(other.number < trial.number for other in self._counted()) >= self.plan.trials:
            trial.set_user_attr(SURPLUS, True)
            self._study.tell(trial, state=TrialState.FAIL)
            return None
        self._open[trial.number] = trial
        self.mark(trial.number, **attributes)
        return trial.number

    def params(self, number: int) -> dict[str, Any]:
        """The values of a trial, drawn on first use; they depend only on the seed and the number."""
        seed = np.random.SeedSequence([self.plan.config.seed, number]).generate_state(1)[0]
        self._study.sampler = optuna.samplers.RandomSampler(seed=int(seed))
        trial, kinds = self._trial(number), setting_kinds()
        return {name: _suggest(trial, name, dimension, kinds[name]) for name, dimension in self.plan.space.items()}

    # ---- reporting

    def mark(self, number: int, **attributes: Any) -> None:
        """Store attributes of a trial."""
        trial = self._trial(number)
        for name, value in attributes.items():
            trial.set_user_attr(name, value)

    def report(self, number: int, errors: Mapping[int, float]) -> bool:
        """Report the errors at some rungs; returns whether the trial should be pruned."""
        trial, told = self._trial(number), self._frozen(number).intermediate_values
        for rung, rmse in errors.items():
            if rung not in told:
                trial.report(rmse, rung)
        return trial.should_prune()

    def finish(self, number: int, rmse: float) -> None:
        """Record that the trial used its budget."""
        self._study.tell(number, rmse, skip_if_finished=True)

    def stop_early(self, number: int, message: str) -> None:
        """Record that the trial ended before its budget was used; its last report stands."""
        self.mark_open(number, message)
        self._study.tell(number, state=TrialState.PRUNED, skip_if_finished=True)

    def fail(self, number: int, message: str) -> None:
        """Record that the trial has no result. It still counts, as the same values would fail again."""
        self.mark_open(number, message)
        self._study.tell(number, state=TrialState.FAIL, skip_if_finished=True)

    def mark_open(self, number: int, message: str) -> None:
        """Store a message about a trial, unless another process has ended it in the meantime."""
        if not self._frozen(number).state.is_finished():
            self.mark(number, **{MESSAGE: message})

    # ---- reading

    def trials(self) -> list[TrialInfo]:
        """All trials that count, by number."""
        return [_info(trial) for trial in self._counted()]

    def under_way(self) -> dict[int, dict[str, Any]]:
        """The attributes of the trials that have not ended."""
        return {t.number: dict(t.user_attrs) for t in self._counted() if not t.state.is_finished()}

    def _counted(self) -> list[FrozenTrial]:
        return [t for t in self._study.get_trials(deepcopy=False) if not t.user_attrs.get(SURPLUS)]

    def _frozen(self, number: int) -> FrozenTrial:
        return self._study.get_trials(deepcopy=False)[number]

    def _trial(self, number: int) -> Trial:
        if number not in self._open:
            self._open[number] = Trial(self._study, self._frozen(number)._trial_id)
        return self._open[number]


def identity(plan: SearchPlan) -> dict[str, Any]:
    """What all processes of a search must agree on: everything but the number of trials and the storage."""
    values = {**plan.to_json(), "labels": plan.label_hash, "settings": plan.config.to_json()}
    return {key: value for key, value in values.items() if key not in ("trials", "remote")}


def _suggest(trial: Trial, name: str, dimension: Any, kind: str) -> Any:
    if isinstance(dimension, Choices):
        return trial.suggest_categorical(name, dimension.values)
    if kind == "int":
        return trial.suggest_int(name, int(dimension.low), int(dimension.high), log=dimension.log)
    return trial.suggest_float(name, dimension.low, dimension.high, log=dimension.log)


def _pruner(name: str) -> optuna.pruners.BasePruner:
    if name == "median":
        return optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=_FIRST_RUNG, n_min_trials=3)
    if name == "halving":
        return optuna.pruners.SuccessiveHalvingPruner(min_resource=_FIRST_RUNG, reduction_factor=2)
    return optuna.pruners.NopPruner()


def _info(trial: FrozenTrial) -> TrialInfo:
    states = {TrialState.COMPLETE: "done", TrialState.PRUNED: "pruned", TrialState.FAIL: "failed"}
    reports, attributes = trial.intermediate_values, trial.user_attrs
    state = states.get(trial.state, "running")
    latest = min(reports.values(), default=None)
    return TrialInfo(
        number=trial.number,
        state=state,
        value=trial.value if state == "done" else latest,
        done=1.0 if state == "done" else max(reports, default=0) / STEPS,
        params=dict(trial.params),
        run=attributes.get(RUN, ""),
        host=attributes.get(HOST, ""),
        message=attributes.get(MESSAGE, ""),
    )


def _write_ahead(engine: Engine) -> None:
    """Let a database file commit without waiting for the disk; a power cut may lose the last commits, no more."""

    def set_up(connection: Any, _record: object) -> None:
        connection.execute("pragma journal_mode=wal")
        connection.execute("pragma synchronous=normal")

    event.listen(engine, "connect", set_up)
    engine.dispose()  # connections opened before


@contextmanager
def storage_in_use() -> Iterator[None]:
    """Turn errors of a storage that can no longer be written or reached into a UserError."""
    try:
        yield
    except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
        raise UserError(
            f"The search's storage can no longer be written or reached: {_first_line(error.__cause__ or error)}. "
            "Check free space and the connection; the same command continues the search."
        ) from error


def _first_line(error: BaseException) -> str:
    return str(error).split("\n", 1)[0].rstrip(".")


@contextmanager
def _storage_errors(url: str) -> Iterator[None]:
    try:
        yield
    except (SQLAlchemyError, ImportError, ValueError, RuntimeError) as error:
        where = url.rpartition("@")[2]  # without a password
        raise UserError(
            f"The storage {where} cannot be opened: {_first_line(error)}. Check the URL and the connection."
        ) from error
