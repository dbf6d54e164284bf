"""The utterance that a bundle tests itself with, and the codes that its tokenizer hears in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from device.bundle import SelfTest
from device.engine.onnx_cpu import OnnxCpuEngine
from device.speech.glm_tokenizer import codes_of
from model_export.parts import unpacked
from model_export.workplace import Made

RATE = 16_000
LONGEST_S = 6  # more than a block of 4 s, so that its cache is tested, too


def self_test(tokenizer: Made, pcm: npt.NDArray[np.float32], folder: Path) -> tuple[Path, SelfTest]:
    """The beginning of an utterance as a WAV file in ``folder``, and its codes.

    Args:
        tokenizer: the part as it will be shipped.
        pcm: float32[n] at 16 kHz.
        folder: where the file goes.
    """
    wav = folder / "self_test.wav"
    soundfile.write(wav, pcm[: LONGEST_S * RATE], RATE, subtype="PCM_16")
    heard, _ = soundfile.read(wav, dtype="float32")  # as it was rounded
    part = unpacked("tokenizer", tokenizer.model, tokenizer.precision, tokenizer.profile)
    return wav, SelfTest(file=wav.name, tokens=tuple(codes_of(OnnxCpuEngine(part), heard)))
