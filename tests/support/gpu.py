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

MINI_PROFILES: dict[str, Profile] = {
    "tokenizer": {"P": (0, 72, 72)},
    "lm": {"T": (1, 1, 64), "P": (0, 128, 512), "R": (1, 1, 64)},
    "speech_decoder": {"tokens": (1, 5, 32)},
    "vocoder": {"frames": (1, 40, 256)},
}


class FakeBox:
    """A box with one GPU; ``open`` builds a part on it and opens the plan."""

    def __init__(self, directory: Path, capacity: int = 1 << 30) -> None:
        self.directory = directory
        self.cuda = FakeCuda(capacity=capacity)
        self.trt = FakeTensorRt(self.cuda)
        self.thread = InferenceThread(self.cuda)
        self.engines: list[TensorRtEngine] = []

    def open(self, part: BundlePart, profile: Profile, graphs: bool = True) -> TensorRtEngine:
        spec = part.spec.model_copy(update={"profile": dict(profile)})
        plan = self.directory / f"{part.name}.plan"
        plan.write_bytes(build(self.trt, dataclasses.replace(part, spec=spec)).plan)
        engine = TensorRtEngine(self.trt, spec, plan, self.thread, graphs)
        self.engines.append(engine)
        return engine

    def open_mini(self, bundle: Bundle, part: str) -> TensorRtEngine:
        """A part of the built-in bundle."""
        return self.open(bundle.part(part), MINI_PROFILES[part])

    def close(self) -> None:
        """Close all; nothing may be left over."""
        for engine in self.engines:
            engine.close()
        self.thread.close()
        assert not any(self.cuda.held.values()), self.cuda.held
