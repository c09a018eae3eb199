"""Writing model files: permissions, and a full disk."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
import torch

from tests.helpers.training_data import tiny_config
from training.errors import UserError
from training.faces.labels.schema import KAGGLE_15
from training.learning.inference import checkpoint
from training.learning.inference.checkpoint import ModelInfo, load_model, load_resume, save_model, save_resume
from training.learning.models.registry import make_model
from training.storage.runs.run import MODEL, Run


def test_a_model_file_can_be_read_by_those_who_read_other_files(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.touch()
    save_resume(tmp_path / "resume.pt", {"epoch": 1})
    save_model(
        tmp_path / MODEL, make_model(tiny_config(), 15).state_dict(), ModelInfo(tiny_config(), KAGGLE_15, "float32")
    )
    modes = {(tmp_path / name).stat().st_mode for name in ("plain", MODEL, "resume.pt")}
    assert modes == {plain.stat().st_mode}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_model_without_permission_to_read_is_not_called_damaged(tmp_path: Path) -> None:
    Run(tmp_path).model.touch(mode=0)
    with pytest.raises(UserError, match="no permission to read it"):
        load_model(Run(tmp_path))


def test_a_full_disk_is_told_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """torch hides the system's error; whoever writes on behind it meets it again."""

    def write(_: object, path: Path) -> None:
        path.write_bytes(b"half")
        raise RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 64 vs 0\nstack")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(torch, "save", write)
    for sync, code in ((full, errno.ENOSPC), (os.fsync, errno.EIO)):
        monkeypatch.setattr(os, "fsync", sync)
        with pytest.raises(OSError, match=r"resume\.pt") as caught:
            save_resume(tmp_path / "resume.pt", {})
        assert caught.value.errno == code
        assert not list(tmp_path.glob(".resume*"))


def test_a_failed_rename_leaves_nothing_beside_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO), "elsewhere")

    path = tmp_path / "resume.pt"
    save_resume(path, {"epoch": 1})
    monkeypatch.setattr(checkpoint, "replace", fails)
    with pytest.raises(OSError, match=r"Input/output error: '.*resume\.pt'"):
        save_resume(path, {"epoch": 2})
    assert load_resume(path) == {"epoch": 1}
    assert [p.name for p in tmp_path.glob("*resume*")] == ["resume.pt"]
