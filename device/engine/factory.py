"""Chooses the backend: ``onnx``, ``tensorrt``, or ``auto`` (TensorRT where it works, else ONNX)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Literal, get_args

from device.bundle import Bundle
from device.engine.contract import Engine
from device.engine.gpu import Gpu, open_gpu
from device.engine.onnx_cpu import OnnxCpuEngine
from device.engine.plans import PlanStore
from device.errors import EngineError, EngineUnavailable

log = logging.getLogger(__name__)

Backend = Literal["auto", "onnx", "tensorrt"]


class EngineFactory:
    """Opens a bundle's parts; call it with a bundle and the part's name.

    With ``auto`` each part that has a plan which works here runs on the GPU, and the others on the
    processor; the first reason for that is logged, once.

    Args:
        backend: see the module.
        threads: threads inside one operator, on the processor.
        plans: directory of the plans built on this machine; None for none.
        gpu: opens the GPU.

    Raises:
        EngineUnavailable: the backend is unknown, or ``tensorrt`` does not work on this machine.
    """

    def __init__(
        self,
        backend: Backend = "auto",
        threads: int = 1,
        plans: Path | None = None,
        gpu: Callable[[], Gpu] = open_gpu,
    ) -> None:
        if backend not in get_args(Backend):
            raise EngineUnavailable(
                f"backend {backend!r}", "is not known", f"use one of {list(get_args(Backend))}"
            )
        if threads < 1:
            raise EngineUnavailable(
                f"backend {backend!r}", f"cannot run on {threads} threads", "give it at least one"
            )
        self.backend, self.threads = backend, threads
        self._store = PlanStore(plans) if plans is not None else None
        self._warned = False
        self._gpu: Gpu | None = None
        if backend != "onnx":
            self._open_gpu(gpu)

    def _open_gpu(self, gpu: Callable[[], Gpu]) -> None:
        try:
            self._gpu = gpu()
        except EngineUnavailable as error:
            if self.backend == "tensorrt":
                problem = f"{error.where} {error.problem}"
                raise EngineUnavailable("backend 'tensorrt'", problem, error.remedy) from error
            self._warn(error)

    def __call__(self, bundle: Bundle, part: str) -> Engine:
        """Open one part.

        Raises:
            BundleError, EngineError: see ``Bundle.part``, ``OnnxCpuEngine`` and ``Gpu.open``.
        """
        if self._gpu is not None:
            try:
                return self._on_gpu(self._gpu, bundle, part)
            except EngineError as error:
                if self.backend == "tensorrt":
                    raise
                self._warn(error)
        return OnnxCpuEngine(bundle.part(part), self.threads)

    def _on_gpu(self, gpu: Gpu, bundle: Bundle, part: str) -> Engine:
        if self._store is None:
            raise EngineUnavailable(f"part {part!r}", "has no plans", "set model.plans")
        return gpu.open(bundle, part, self._store)

    def _warn(self, error: EngineError) -> None:
        level = logging.DEBUG if self._warned else logging.WARNING
        self._warned = True
        log.log(level, "running on the CPU, not by TensorRT: %s", error)
