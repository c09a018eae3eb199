"""Runs a function in a process of its own, within limits of time and memory: a hang or a flood is a failed test."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
CHILD = """
import importlib, json, resource, sys
module, name, memory, *arguments = sys.argv[1:]
if int(memory):
    resource.setrlimit(resource.RLIMIT_AS, (int(memory), int(memory)))
for answer in getattr(importlib.import_module(module), name)(*arguments):
    print(json.dumps(answer), flush=True)
"""


def answers(function: Any, *arguments: object, seconds: float = 60, memory: int = 0) -> tuple[list[Any], str]:
    """What a generator function of a module yields (JSON), as far as it came, and what reached its stderr.

    memory: bytes of address space, 0 without a limit. After `seconds` the process is killed.
    """
    command = [sys.executable, "-c", CHILD, function.__module__, function.__name__, str(memory), *map(str, arguments)]
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # each reserves address space
    env = {**os.environ, **threads, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env) as child:
        try:
            out, err = child.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            child.kill()
            out, err = child.communicate()
    return [json.loads(line) for line in out.splitlines()], err.decode("utf-8", "replace")
