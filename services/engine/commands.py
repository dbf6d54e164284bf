"""``linnet engine build`` on the box itself, ``selftest`` and ``inspect``: run, print, exit status.

Each takes how the GPU is opened, so that all of it can be tried where there is none.
"""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Collection, Sequence
from pathlib import Path

from device.bundle import Bundle
from device.engine.gpu import Gpu, open_gpu
from device.engine.plans import PlanStore
from device.engine.tensorrt_build import EngineBuildError
from device.errors import EngineError
from services.engine import selftest as tests
from services.engine.checks import Check, Effort, report
from services.engine.kernels import kernels
from services.engine.machine import Machine, Opener, lines_without_gpu, look, without_gpu
from services.exit_codes import ExitCode


def selftest(
    args: Namespace,
    bundle: Bundle,
    plans: Path,
    opener: Opener = open_gpu,
    effort: Effort | None = None,
) -> int:
    """Args: ``args`` has backend and json; ``effort`` says how long to measure."""
    effort = effort or Effort()
    machine = look(opener if args.backend == "tensorrt" else None)
    if args.backend == "onnx":
        return _told(args, machine, bundle, "onnx", tests.on_the_processor(bundle, effort))
    if machine.gpu is None:
        return _missing(args, machine)
    try:
        checks = tests.on_the_gpu(bundle, machine.gpu, PlanStore(plans), effort)
    finally:
        machine.gpu.close()
    return _told(args, machine, bundle, "tensorrt", checks)


def inspect(args: Namespace, bundle: Bundle, plans: Path, opener: Opener = open_gpu) -> int:
    """``args`` has part (several or None) and json."""
    machine = look(opener)
    if machine.gpu is None:
        return _missing(args, machine)
    store, checks = PlanStore(plans), []
    try:
        for part in args.part or bundle.manifest.parts:
            checks.append(_inspected(machine.gpu, bundle, part, store))
    finally:
        machine.gpu.close()
    return _told(args, machine, bundle, "tensorrt", checks)


def _inspected(gpu: Gpu, bundle: Bundle, part: str, store: PlanStore) -> Check:
    try:
        engine = gpu.open(bundle, part, store)
    except EngineError as error:
        return Check(f"kernels, {part}", False, str(error))
    try:
        return kernels(bundle.part(part), engine)
    finally:
        engine.close()


def build_here(
    args: Namespace,
    bundle: Bundle,
    plans: Path,
    kept: Collection[str] = (),
    opener: Opener = open_gpu,
) -> int:
    """Build the bundle's parts for this machine's GPU and keep the plans.

    Args:
        args: has part (several or None) and json.
        kept: digests of other bundles whose plans stay; those of the rest are removed once all
            parts are built.
    """
    machine = look(opener)
    if machine.gpu is None:
        return _missing(args, machine)
    store, checks = PlanStore(plans), []
    try:
        for part in args.part or bundle.manifest.parts:
            checks.append(_built(machine.gpu, bundle, part, store))
            print(checks[-1].line(), file=sys.stderr, flush=True)  # it may take an hour
    finally:
        machine.gpu.close()
    if not args.part and all(check.ok for check in checks):
        store.prune({bundle.digest, *kept})
    return _told(args, machine, bundle, "tensorrt", checks)


def _built(gpu: Gpu, bundle: Bundle, part: str, store: PlanStore) -> Check:
    try:
        facts = gpu.build(bundle, part, store)
    except EngineBuildError as error:
        return Check(part, False, str(error), {"log": list(error.log)})
    detail = f"{facts.bytes / 1e6:.1f} MB in {facts.seconds:.0f} s"
    return Check(part, True, detail, facts.model_dump())


def _told(
    args: Namespace, machine: Machine, bundle: Bundle, backend: str, checks: Sequence[Check]
) -> int:
    facts = report(machine, bundle.manifest.family, backend, checks)
    if args.json:
        print(json.dumps(facts, indent=1))
    else:
        print("\n".join(check.line() for check in checks))
    return ExitCode.OK if facts["ok"] else ExitCode.CHECK_FAILED


def _missing(args: Namespace, machine: Machine) -> int:
    if args.json:
        print(json.dumps(without_gpu(machine), indent=1))
    else:
        print("\n".join(lines_without_gpu(machine)))
    return ExitCode.CHECK_FAILED
