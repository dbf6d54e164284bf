"""Chooses the backend: ``onnx``, ``tensorrt``, or ``auto`` (TensorRT where it works, else ONNX)."""

from __future__ import annotations

import importlib
import logging
from typing import Literal, get_args

from device.bundle import Bundle
from device.engine.contract import Engine
from device.engine.onnx_cpu import OnnxCpuEngine
from device.errors import EngineUnavailable

log = logging.getLogger(__name__)

Backend = Literal["auto", "onnx", "tensorrt"]


class EngineFactory:
    """Opens a bundle's parts on one backend; call it with a bundle and the part's name.

    Args:
        backend: see the module.
        threads: threads inside one operator, for ``onnx``.

    Raises:
        EngineUnavailable: the backend is unknown, or ``tensorrt`` does not work on this machine.
    """

    def __init__(self, backend: Backend = "auto", threads: int = 1) -> None:
        if backend not in get_args(Backend):
            raise EngineUnavailable(
                f"backend {backend!r}", "is not known", f"use one of {list(get_args(Backend))}"
            )
        if threads < 1:
            raise EngineUnavailable(
                f"backend {backend!r}", f"cannot run on {threads} threads", "give it at least one"
            )
        reason = None if backend == "onnx" else why_no_tensorrt()
        if reason and backend == "tensorrt":
            raise EngineUnavailable("backend 'tensorrt'", reason, "use backend 'onnx' or 'auto'")
        if reason:
            log.warning("running on the CPU: TensorRT %s", reason)
        self.backend: Backend = "onnx"
        self.threads = threads

    def __call__(self, bundle: Bundle, part: str) -> Engine:
        """Open one part.

        Raises:
            BundleError, EngineError: see ``Bundle.part`` and ``OnnxCpuEngine``.
        """
        return OnnxCpuEngine(bundle.part(part), self.threads)


def why_no_tensorrt() -> str:
    """The reason why TensorRT cannot be used here, in words."""
    try:
        module = importlib.import_module("tensorrt")
    except (ImportError, OSError) as error:  # OSError: its libraries are there but do not load
        return f"cannot be imported ({error})"
    version = getattr(module, "__version__", "of unknown version")
    return f"{version} is here, but this Linnet can build its engines and not yet run them"
