"""Connects the processes of a training: over loopback on one machine, as torchrun says on several."""

from __future__ import annotations

import os
import socket
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

from training.errors import UserError
from training.learning.fit.parallel.launch import Place, end_with_launcher, others, place
from training.learning.fit.parallel.ranks import Ranks

# A process that ended is noticed at once. These are for one that hangs, or whose machine vanished. The others wait for
# rank 0 while it evaluates and saves, and all wait for the one that reads its images last: that may take long. Between
# two steps the others have nothing to do, so rank 0 waits for them no longer than the slowest machine needs for a step.
_TIMEOUT = timedelta(minutes=30)
_STEP_TIMEOUT = timedelta(minutes=5)
_MEETING_TIMEOUT = timedelta(minutes=1)
_INTERFACES = ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME")
_HARMLESS = (  # warnings of DistributedDataParallel
    "`broadcast_buffers` is deprecated",  # torch 2.6 has no other name for it
    "Grad strides do not match bucket view strides",  # of axes of length 1, whose stride means nothing
)


@contextmanager
def joined(count: int = 1) -> Iterator[Ranks]:
    """This process among those of its training: torchrun's, or `count` on this machine, whose others this one starts.

    Raises UserError if they cannot find each other within a minute.
    """
    with ExitStack() as stack:
        ranks = Ranks(place())
        if ranks.alone and count > 1:
            ranks.place, ranks.others = stack.enter_context(others(count))
        elif not ranks.alone:
            end_with_launcher()
        if not ranks.alone:
            stack.enter_context(_interface(ranks.place))
            stack.enter_context(_connection(ranks))
            stack.enter_context(ranks.connected())
            stack.enter_context(warnings.catch_warnings())
            for harmless in _HARMLESS:
                warnings.filterwarnings("ignore", harmless)
        yield ranks


@contextmanager
def _connection(ranks: Ranks) -> Iterator[None]:
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if gpus > ranks.place.local:
        torch.cuda.set_device(ranks.place.local)
    try:
        store = _open_store(ranks.place)
        _meet(ranks, store, "here")
        _connect(ranks.place, PrefixStore("first", store), _MEETING_TIMEOUT)  # shows soon whether all are reached
        _meet(ranks, store, "connected")  # closing a connection that another one is still making would hang that one
        dist.destroy_process_group()
        _connect(ranks.place, PrefixStore("steps", store), _STEP_TIMEOUT if ranks.leads else _TIMEOUT)
        ranks.patient = dist.new_group(timeout=_TIMEOUT)
    except (RuntimeError, ValueError) as error:
        raise UserError(f"The processes of this training cannot find each other: {error}") from error
    try:
        yield
    finally:
        dist.destroy_process_group()


def _connect(here: Place, store: Store, timeout: timedelta) -> None:
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() and torch.cuda.device_count() else "gloo"
    dist.init_process_group(backend, store=store, rank=here.rank, world_size=here.count, timeout=timeout)


@contextmanager
def _interface(here: Place) -> Iterator[None]:
    """On one machine, talk over its loopback interface alone, whatever its host name means. Say where, with torchrun."""
    if not here.meeting and here.local == 0:
        _say_where(here)
    if not here.one_machine:
        yield
        return
    before = {name: os.environ.get(name) for name in _INTERFACES}
    os.environ.update(dict.fromkeys(_INTERFACES, _loopback()))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _say_where(here: Place) -> None:
    listens = _loopback() if here.one_machine else os.environ.get("GLOO_SOCKET_IFNAME") or _own_address()
    print(
        f"This machine's processes meet at {os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}, which torchrun opens "
        f"on all interfaces, and listen on {listens}. Whoever reaches these ports can run code as you: use a trusted "
        "network.",
        file=sys.stderr,
    )


def _loopback() -> str:
    if sys.platform == "win32":
        return "Loopback Pseudo-Interface 1"
    return next((name for _, name in socket.if_nameindex() if name in ("lo", "lo0")), "lo")


def _own_address() -> str:
    """What this machine's name stands for: where gloo listens unless GLOO_SOCKET_IFNAME names an interface."""
    try:
        return socket.gethostbyname(socket.gethostname())
    except OSError:
        return "127.0.0.1"


def _open_store(here: Place) -> Store:
    """What all processes write to and read from until they are connected: a file, or torchrun's server."""
    url = Path(here.meeting).as_uri() if here.meeting else "env://"
    # torch tries a second time after the timeout
    store: Store = next(rendezvous(url, here.rank, here.count, timeout=_MEETING_TIMEOUT / 2))[0]
    return store


def _meet(ranks: Ranks, store: Store, where: str) -> None:
    """Wait until all processes have come to this place. Raises UserError if one has ended or does not come in time."""
    here = ranks.place
    store.set(f"{where}/{here.rank}", "")
    until = time.monotonic() + _MEETING_TIMEOUT.total_seconds()
    for rank in range(here.count):
        while not store.check([f"{where}/{rank}"]):
            if failure := ranks.others.failure():
                raise UserError(f"{failure} The training cannot begin.")
            if time.monotonic() > until:
                seconds = _MEETING_TIMEOUT.total_seconds()
                raise UserError(
                    f"Process {rank} of {here.count} of this training did not start within {seconds:.0f} s."
                )
            time.sleep(0.02)
