"""No reader opens what is no file: a pipe would hang it, a device would fill the memory."""

from __future__ import annotations

import sys

import pytest

from tests.helpers.guarded import answers
from tests.helpers.strange_files import KINDS, READERS, read_strange_files

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither pipes nor devices among files")
MEMORY = 4 << 30  # bytes of address space


@pytest.fixture(scope="module", params=KINDS)
def said(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What each reader said of a file of this kind, as far as they came."""
    folder = tmp_path_factory.mktemp(request.param)
    found, _ = answers(read_strange_files, folder, request.param, seconds=100, memory=MEMORY)
    return dict(found)


@pytest.mark.parametrize("reader", READERS)
def test_what_is_no_file_is_refused(said: dict[str, str], reader: str) -> None:
    assert reader in said, f"it hung, or one before it: {list(said)}"
    assert "this is a pipe or a device, not a file; replace or remove it" in said[reader]
