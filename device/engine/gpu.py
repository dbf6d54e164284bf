"""This machine's GPU as Linnet uses it: TensorRT, CUDA and the thread that owns both."""

from __future__ import annotations

import atexit
import importlib
import time
import weakref
from dataclasses import dataclass, field
from types import ModuleType

from device.bundle import Bundle
from device.engine.cuda import Cuda
from device.engine.cuda_graphs import DriverGraphs
from device.engine.cuda_pycuda import PyCuda
from device.engine.inference_thread import InferenceThread
from device.engine.plans import PlanFacts, PlanKey, PlanStore
from device.engine.tensorrt_build import build
from device.engine.tensorrt_log import TensorRT
from device.engine.tensorrt_run import TensorRtEngine
from device.errors import CudaError, EngineUnavailable

_INSTALL = {
    "tensorrt": "it comes with JetPack; make the virtual environment with --system-site-packages",
    "pycuda": "run: pip install 'linnet[jetson]'",
}


@dataclass(frozen=True)
class Gpu:
    """A GPU that works.

    Attributes:
        trt: the ``tensorrt`` module.
        thread: the one that owns the GPU.
    """

    trt: TensorRT
    thread: InferenceThread
    _opened: weakref.WeakSet[TensorRtEngine] = field(default_factory=weakref.WeakSet, repr=False)

    @property
    def cuda(self) -> Cuda:
        """The GPU itself."""
        return self.thread.cuda

    def key(self, bundle: Bundle, part: str) -> PlanKey:
        """What a plan of this part must fit to run here."""
        return PlanKey(bundle.digest, part, str(self.trt.__version__), self.cuda.sm)

    def build(self, bundle: Bundle, part: str, store: PlanStore) -> PlanFacts:
        """Build one part here and keep the plan.

        Raises:
            EngineBuildError: see ``build``.
            MissingPart: the bundle has no such part.
            OSError: it cannot be kept.
        """
        key, found = self.key(bundle, part), bundle.part(part)
        start = time.monotonic()
        built = self.thread.call(lambda: build(self.trt, found, timing_cache=store.timing(key)))
        seconds = time.monotonic() - start
        store.save_timing(key, built.timing_cache)
        return store.save(key, built.plan, found.spec.precision, round(seconds, 3))

    def open(
        self, bundle: Bundle, part: str, store: PlanStore, graphs: bool = True
    ) -> TensorRtEngine:
        """Open the plan that was built here of one part; ``graphs``: see ``TensorRtEngine``.

        Raises:
            EngineUnavailable: none was.
            EngineLoadError, CudaError: it does not work.
            MissingPart: the bundle has no such part.
        """
        found, key = bundle.part(part), self.key(bundle, part)
        plan = store.find(key)
        if plan is None:
            raise EngineUnavailable(
                f"part {part!r}",
                f"has no plan for TensorRT {key.version} on SM{key.sm}",
                "run: linnet engine build",
            )
        engine = TensorRtEngine(self.trt, found.spec, plan[0], self.thread, graphs)
        self._opened.add(engine)
        return engine

    def close(self) -> None:
        """Close the engines that are still open and end the thread. Safe to call twice."""
        for engine in list(self._opened):
            engine.close()
        self.thread.close()


def open_gpu() -> Gpu:
    """The first GPU of this machine.

    Raises:
        EngineUnavailable: TensorRT or pycuda is not installed, or there is no GPU for them.
    """
    trt, driver = _import("tensorrt"), _import("pycuda.driver")
    try:
        cuda = PyCuda(driver, DriverGraphs())
    except CudaError as error:
        raise EngineUnavailable("GPU", error.problem, error.remedy) from error
    gpu = Gpu(trt, InferenceThread(cuda))
    # What is freed when the interpreter goes down finds its context gone.
    atexit.register(gpu.close)
    return gpu


def lacking() -> tuple[EngineUnavailable, ...]:
    """All that this machine lacks for ``open_gpu``, each with its remedy; not only the first."""
    found = []
    for name in ("tensorrt", "pycuda.driver"):
        try:
            _import(name)
        except EngineUnavailable as error:
            found.append(error)
    try:
        DriverGraphs()
    except CudaError as error:
        found.append(EngineUnavailable("GPU", f"{error.where} {error.problem}", error.remedy))
    return tuple(found)


def _import(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except (ImportError, OSError) as error:  # OSError: its libraries are there but do not load
        top = name.split(".")[0]
        problem = f"cannot be imported ({error})"
        raise EngineUnavailable(top, problem, _INSTALL[top]) from error
