"""Speech decoder and vocoder as ONNX graphs: ``step``, each state tensor a named in and out."""

from __future__ import annotations

import warnings
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn
from torch.export import Dim

from device.sound.mel import N_MELS
from model_export.families.linnet_mini.speech_decoder import SpeechDecoder
from model_export.families.linnet_mini.vocoder import PITCH, Vocoder
from model_export.graphs import OPSET, finished

EXAMPLE = 3  # length of the example chunk: neither 1 nor a width, so no dimension is mistaken


class _DecoderStep(nn.Module):
    def __init__(self, model: SpeechDecoder) -> None:
        super().__init__()
        self.model = model

    def forward(self, tokens: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        mel, pitch, after = self.model.step(tokens, state)
        return (mel, pitch, *after)


class _VocoderStep(nn.Module):
    def __init__(self, model: Vocoder) -> None:
        super().__init__()
        self.model = model

    def forward(self, mel: Tensor, pitch: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        wave, after = self.model.step(mel, pitch, state)
        return (wave, *after)


def export_speech_decoder(model: SpeechDecoder, path: Path) -> None:
    """Write ``tokens[1, n]``, states → ``mel[1, 80, 8n]``, ``pitch[1, 2, 8n]``, states."""
    tokens = torch.zeros(1, EXAMPLE, dtype=torch.int64)
    feeds = {"tokens": (tokens, {1: Dim("tokens", min=1, max=4096)})}
    _export(_DecoderStep(model), model, feeds, {"mel": "frames", "pitch": "frames"}, path)


def export_vocoder(model: Vocoder, path: Path) -> None:
    """Write ``mel[1, 80, T]``, ``pitch[1, 2, T]``, states → ``wave[1, 1, 160T]``, states."""
    frames = Dim("frames", min=1, max=4096)
    feeds = {
        "mel": (torch.zeros(1, N_MELS, EXAMPLE), {2: frames}),
        "pitch": (torch.zeros(1, PITCH, EXAMPLE), {2: frames}),
    }
    _export(_VocoderStep(model), model, feeds, {"wave": "samples"}, path)


def _export(
    step: nn.Module,
    model: SpeechDecoder | Vocoder,
    feeds: dict[str, tuple[Tensor, dict[int, Dim]]],
    outputs: dict[str, str],
    path: Path,
) -> None:
    """``feeds``: example and open dims; ``outputs``: what their last, open dim is called."""
    names = model.state_names()
    state = model.state()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        program = torch.onnx.export(
            step.eval(),
            (*(tensor for tensor, _ in feeds.values()), state),
            input_names=[*feeds, *names],
            output_names=[*outputs, *(f"{name}_out" for name in names)],
            dynamic_shapes=(*(dims for _, dims in feeds.values()), tuple({} for _ in state)),
            opset_version=OPSET,
            dynamo=True,
            optimize=False,
            external_data=False,
            verbose=False,
        )
    if program is None:
        raise RuntimeError("the exporter returned no program")
    proto = finished(program)
    for value in proto.graph.output:  # the exporter writes products such as 8*tokens
        if value.name in outputs:
            value.type.tensor_type.shape.dim[-1].dim_param = outputs[value.name]
    onnx.checker.check_model(proto)
    onnx.save(proto, str(path))
