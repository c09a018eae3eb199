"""A training listens on loopback only, in one process and in two."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.torture import inputs
from tests.torture.outcome import Outcome
from tests.torture.processes import family, sockets

_SECONDS = 90.0  # for a training to start on a busy machine
_TRAINING_SECONDS = 2.0  # that are watched after the first step
_LISTENS = "0A"
_LOOPBACK = ("0100007F", "00000000000000000000000001000000", "0000000000000000FFFF00000100007F")
_PROTOCOLS = ("tcp", "tcp6")


def run(scratch: Path, *, count: int, seed: int) -> Outcome:
    """count: how many trainings of each kind."""
    outcome = Outcome()
    project = inputs.imported(inputs.kaggle_csv(scratch / "training.csv", 60, seed=seed), scratch / "p.fkp")
    for processes in (1, 2):
        row = outcome.row(f"training of {processes} processes" if processes > 1 else "training of one process")
        for number in range(count):
            seen, wrong = watched(project, processes)
            row.add(f"with {len(seen)} listening sockets", wrong, case=f"training {number}")
    return outcome


def watched(project: Path, processes: int) -> tuple[set[str], list[str]]:
    """(addresses that the processes of a training listened on, what is wrong)."""
    settings = [f"{key}={value}" for key, value in inputs.TRAINING.items() if key != "epochs"]
    command = [sys.executable, "-m", "training.cli", "train", str(project), "--recipe", "fast", "--minutes", "2"]
    command += ["--json", "--set", *settings, f"processes={processes}"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True
    )
    seen: set[str] = set()
    most, until, begun = 0, time.monotonic() + _SECONDS, False
    while process.poll() is None and time.monotonic() < until:
        numbers = [one.number for one in family(process.pid) if one.state != "Z"]
        most = max(most, len(numbers))
        seen |= listening(set().union(*map(sockets, numbers)))
        if not begun and any("Progress" in events.read_text() for events in project.glob("runs/*/events.jsonl")):
            begun, until = True, time.monotonic() + _TRAINING_SECONDS
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    for events in project.glob("runs/*/events.jsonl"):
        events.unlink()  # so that the next one is seen to begin
    outside = sorted(address for address in seen if address.split()[1] not in _LOOPBACK)
    wrong = [f"open to other machines: {', '.join(outside)}"] if outside else []
    if not begun or most < processes:
        wrong.append(f"the training did not begin with {processes} processes, but {most}")
    return seen, wrong


def listening(inodes: set[str]) -> set[str]:
    """ "protocol address port" of these sockets that listen, the address in the kernel's hexadecimal digits."""
    found = set()
    for protocol in _PROTOCOLS:
        for line in Path(f"/proc/net/{protocol}").read_text().splitlines()[1:]:
            fields = line.split()
            address, port = fields[1].split(":")
            if fields[3] == _LISTENS and fields[9] in inodes:
                found.add(f"{protocol} {address} {int(port, 16)}")
    return found
