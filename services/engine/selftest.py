"""Does this machine run the bundle as it should, and as fast as its memory allows?

On the processor that is the shipped utterance, the decoding rate and the memory's speed. On a GPU
also every part against the processor, the kernels that really run in INT8, and what graphs gain.
"""

from __future__ import annotations

from collections.abc import Mapping

from device.bundle import Bundle
from device.engine import bandwidth
from device.engine.contract import Engine
from device.engine.gpu import Gpu
from device.engine.onnx_cpu import OnnxCpuEngine
from device.engine.plans import PlanStore
from device.engine.tensorrt_run import TensorRtEngine
from device.errors import EngineError
from services.engine import golden
from services.engine.checks import Check, Effort, Figures
from services.engine.decoding import decode, step_bytes
from services.engine.kernels import kernels


def on_the_processor(bundle: Bundle, effort: Effort) -> list[Check]:
    """The self-test of ONNX Runtime; see ``Effort`` for how long it measures."""
    engines = _on_processor(bundle)
    known = golden.Golden.of(bundle)
    speed = bandwidth.host_gb_s(effort.copied)
    if known is None:
        return [_unknown(bundle), _memory_speed(speed)]
    tokens = golden.against_the_manifest(known, engines, exact=True)
    rate = _decoding(bundle, engines["lm"], known.max_len, speed, effort)
    return [tokens, _memory_speed(speed), rate]


def on_the_gpu(bundle: Bundle, gpu: Gpu, store: PlanStore, effort: Effort) -> list[Check]:
    """The self-test of TensorRT; plans must have been built."""
    before, total = gpu.thread.call(gpu.cuda.memory)
    opened: dict[str, TensorRtEngine] = {}
    try:
        for part in bundle.manifest.parts:
            opened[part] = gpu.open(bundle, part, store)
    except EngineError as error:
        _close(opened)
        return [Check("plans", False, str(error))]
    checks = [Check("plans", True, f"all {len(opened)} load")]
    try:
        checks += [kernels(bundle.part(part), engine) for part, engine in opened.items()]
        checks += _compared(bundle, gpu, store, opened, effort)
        after, _ = gpu.thread.call(gpu.cuda.memory)
        checks.append(_memory(opened, before - after, total))
    except EngineError as error:
        # What was found out before is worth as much as the fault.
        checks.append(Check("run", False, str(error)))
    finally:
        _close(opened)
    return checks


def _compared(
    bundle: Bundle, gpu: Gpu, store: PlanStore, opened: Mapping[str, TensorRtEngine], effort: Effort
) -> list[Check]:
    speed = bandwidth.device_gb_s(gpu, effort.copied)
    known = golden.Golden.of(bundle)
    if known is None:
        return [_unknown(bundle), _memory_speed(speed)]
    checks = [golden.against_the_manifest(known, opened, exact=False)]
    checks += golden.against_the_processor(known, opened, _on_processor(bundle))
    checks.append(_memory_speed(speed))
    rate = _decoding(bundle, opened["lm"], known.max_len, speed, effort)
    eager = gpu.open(bundle, "lm", store, graphs=False)
    try:
        without = decode(eager, known.max_len, effort.steps).tokens_per_s
    finally:
        eager.close()
    gain = float(str(rate.figures["tokens_per_s"])) / without
    rate.figures["launch_ratio"] = round(gain, 3)
    rate.figures["graphs"] = opened["lm"].captured
    return [*checks, rate]


def _on_processor(bundle: Bundle) -> dict[str, Engine]:
    return {part: OnnxCpuEngine(bundle.part(part)) for part in bundle.manifest.parts}


def _unknown(bundle: Bundle) -> Check:
    detail = f"none are known for a bundle of {bundle.manifest.family} without a self-test"
    return Check("golden vectors", None, detail)


def _memory_speed(gb_s: float) -> Check:
    figures: Figures = {"gb_s": round(gb_s, 2)}
    return Check("memory speed", None, f"a copy moves {gb_s:.1f} GB/s", figures)


def _decoding(bundle: Bundle, lm: Engine, max_len: int, gb_s: float, effort: Effort) -> Check:
    found = decode(lm, max_len, effort.steps)
    size = step_bytes(bundle.part("lm"), found.past)
    ratio = size * found.tokens_per_s / (gb_s * 1e9) if size is not None else None
    figures = found.figures() | {
        "step_bytes": size,
        "bandwidth_ratio": None if ratio is None else round(ratio, 4),
    }
    share = "unknown without the onnx package" if ratio is None else f"{ratio:.2f}"
    rate = f"{found.tokens_per_s:.0f} tokens/s, share of the memory's speed {share}"
    return Check("decoding", None, rate, figures)


def _memory(opened: Mapping[str, TensorRtEngine], taken: int, total: int) -> Check:
    plans = {part: engine.plan.plan_bytes for part, engine in opened.items()}
    held = {part: engine.device_bytes for part, engine in opened.items()}
    figures: Figures = {
        "total_bytes": total, "taken_bytes": taken, "plan_bytes": plans, "buffer_bytes": held,
    }  # fmt: skip
    detail = f"{taken / 1e6:.0f} of {total / 1e6:.0f} MB taken by {len(opened)} parts"
    return Check("memory", None, detail, figures)


def _close(opened: Mapping[str, TensorRtEngine]) -> None:
    for engine in opened.values():
        engine.close()
