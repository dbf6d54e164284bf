"""What this machine is, as far as engines care: one table for every report."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from dataclasses import dataclass, field

from device.engine.gpu import Gpu, lacking, open_gpu
from device.errors import EngineUnavailable

Opener = Callable[[], Gpu]


@dataclass(frozen=True)
class Lack:
    """Something that is missing, and what to do about it."""

    what: str
    problem: str
    remedy: str


@dataclass(frozen=True)
class Machine:
    """A machine with or without a GPU that works; ``gpu`` is None where something lacks."""

    python: str
    processor: str
    cores: int
    tensorrt: str | None = None
    gpu_name: str | None = None
    sm: int | None = None
    memory_bytes: int | None = None
    lacks: tuple[Lack, ...] = ()
    gpu: Gpu | None = field(default=None, repr=False)

    def facts(self) -> dict[str, object]:
        """For a report."""
        left_out = ("gpu", "lacks")
        return {k: v for k, v in vars(self).items() if k not in left_out and v is not None}


def look(opener: Opener | None = open_gpu) -> Machine:
    """Look at this machine; at its processor alone without an opener."""
    python, processor = platform.python_version(), platform.machine()
    cores = len(os.sched_getaffinity(0))
    if opener is None:
        return Machine(python, processor, cores)
    try:
        gpu = opener()
    except EngineUnavailable as error:
        found = lacking() or (error,)
        lacks = tuple(Lack(e.where, e.problem, e.remedy) for e in found)
        return Machine(python, processor, cores, lacks=lacks)
    _, memory = gpu.thread.call(gpu.cuda.memory)
    version, cuda = str(gpu.trt.__version__), gpu.cuda
    return Machine(python, processor, cores, version, cuda.name, cuda.sm, memory, gpu=gpu)


def without_gpu(machine: Machine) -> dict[str, object]:
    """The report of a command that needs a GPU, on a machine that has none."""
    missing = [vars(lack) for lack in machine.lacks]
    return {"ok": False, "machine": machine.facts(), "missing": missing}


def lines_without_gpu(machine: Machine) -> list[str]:
    """The same for a person."""
    return [f"missing: {x.what} {x.problem}; {x.remedy}" for x in machine.lacks]
