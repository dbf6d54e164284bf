"""A bundle's parts on the GPU made of numpy: built, loaded and run as on a box."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from device.bundle import Bundle, BundlePart
from device.engine.inference_thread import InferenceThread
from device.engine.tensorrt_build import build
from device.engine.tensorrt_run import TensorRtEngine
from tests.support.fake_cuda import FakeCuda
from tests.support.fake_tensorrt import FakeTensorRt

Profile = Mapping[str, tuple[int, int, int]]


class FakeBox:
    """A box with one GPU; ``open`` builds a part on it and opens the plan."""

    def __init__(self, directory: Path, capacity: int = 1 << 30) -> None:
        self.directory = directory
        self.cuda = FakeCuda(capacity=capacity)
        self.trt = FakeTensorRt(self.cuda)
        self.thread = InferenceThread(self.cuda)
        self.engines: list[TensorRtEngine] = []

    def open(self, part: BundlePart, profile: Profile, graphs: bool = True) -> TensorRtEngine:
        """Build a part for this profile and open the plan."""
        spec = part.spec.model_copy(update={"profile": dict(profile)})
        plan = self.directory / f"{part.name}.plan"
        plan.write_bytes(build(self.trt, dataclasses.replace(part, spec=spec)).plan)
        engine = TensorRtEngine(self.trt, spec, plan, self.thread, graphs)
        self.engines.append(engine)
        return engine

    def open_part(self, bundle: Bundle, part: str) -> TensorRtEngine:
        """A part of a bundle, for the profile of its manifest."""
        found = bundle.part(part)
        return self.open(found, found.spec.profile)

    def close(self) -> None:
        """Close all; nothing may be left over."""
        for engine in self.engines:
            engine.close()
        self.thread.close()
        assert not any(self.cuda.held.values()), self.cuda.held
