"""Tokens → mel and pitch → waveform: streamed, whole and exported must all say the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from device.sound.mel import HOP, N_MELS, log_mel
from model_export import lint
from model_export.families.linnet_mini import speech_decoder as t2m
from model_export.families.linnet_mini import vocoder as voc
from model_export.families.linnet_mini.decoder_graphs import (
    export_speech_decoder,
    export_vocoder,
)
from model_export.families.linnet_mini.speech_decoder import SpeechDecoder, SpeechDecoderConfig
from model_export.families.linnet_mini.vocoder import Vocoder, VocoderConfig
from model_export.onnx_graph import opset_of, tensor_specs
from model_export.training import spectral_losses

torch.set_num_threads(1)  # small tensors; many threads only wait for each other
TOLERANCE = 1e-4  # of the waveform (full scale 1), the mel (nepers) and the pitch

chunks = st.lists(st.integers(1, 23), min_size=1, max_size=12)


def small_vocoder() -> Vocoder:
    torch.manual_seed(1)
    return Vocoder(VocoderConfig(dim=24, hidden=32, layers=2)).eval()


def small_decoder() -> SpeechDecoder:
    torch.manual_seed(1)
    return SpeechDecoder(
        SpeechDecoderConfig(codes=64, dim=32, hidden=48, frame_dim=24, frame_hidden=32)
    ).eval()


def speech_like(frames: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Loud random mel [1, 80, T] and a wandering pitch [1, 2, T] with unvoiced gaps."""
    rng = np.random.default_rng(seed)
    mel = rng.normal(0.0, 3.0, (1, N_MELS, frames))
    log_f0 = 5.2 + np.cumsum(rng.normal(0, 0.03, frames)).clip(-0.6, 0.6)
    voiced = (rng.random(frames) < 0.8) * rng.random(frames)
    pitch = np.stack([log_f0, voiced])[None]
    return torch.tensor(mel, dtype=torch.float32), torch.tensor(pitch, dtype=torch.float32)


@given(sizes=chunks, seed=st.integers(0, 99))
@settings(max_examples=25, deadline=None)
@torch.no_grad()
def test_streamed_waveform_equals_whole(sizes: list[int], seed: int) -> None:
    model = small_vocoder()
    mel, pitch = speech_like(sum(sizes), seed)
    whole, _ = model.step(mel, pitch, model.state())
    state, parts = model.state(), []
    for m, p in zip(mel.split(sizes, 2), pitch.split(sizes, 2), strict=True):
        wave, state = model.step(m, p, state)
        parts.append(wave)
        assert wave.shape == (1, 1, m.shape[2] * HOP)
    assert whole.abs().max() > 0.01
    torch.testing.assert_close(torch.cat(parts, 2), whole, atol=TOLERANCE, rtol=0)


@torch.no_grad()
def test_phase_does_not_drift_in_half_a_minute() -> None:
    model = small_vocoder()
    mel, pitch = speech_like(3000)
    whole, _ = model.step(mel, pitch, model.state())
    state, parts = model.state(), []
    for m, p in zip(mel.split(8, 2), pitch.split(8, 2), strict=True):
        wave, state = model.step(m, p, state)
        parts.append(wave)
    torch.testing.assert_close(torch.cat(parts, 2), whole, atol=TOLERANCE, rtol=0)


@given(sizes=chunks, seed=st.integers(0, 99))
@settings(max_examples=25, deadline=None)
@torch.no_grad()
def test_streamed_mel_equals_whole(sizes: list[int], seed: int) -> None:
    model = small_decoder()
    tokens = torch.randint(65, (1, sum(sizes)), generator=torch.Generator().manual_seed(seed))
    mel, pitch, _ = model.step(tokens, model.state())
    state, mels, pitches = model.state(), [], []
    for part in tokens.split(sizes, 1):
        m, p, state = model.step(part, state)
        mels.append(m)
        pitches.append(p)
    assert mel.shape == (1, N_MELS, 8 * sum(sizes))
    torch.testing.assert_close(torch.cat(mels, 2), mel, atol=TOLERANCE, rtol=0)
    torch.testing.assert_close(torch.cat(pitches, 2), pitch, atol=TOLERANCE, rtol=0)


@torch.no_grad()
def test_sound_depends_on_no_more_than_the_stated_future() -> None:
    model = small_vocoder()
    mel, pitch = speech_like(40)
    changed = mel.clone()
    changed[:, :, 20 + voc.LOOKAHEAD + 1 :] += 3.0
    a, b = model(mel, pitch), model(changed, pitch)
    heard = (20 + 1) * HOP
    torch.testing.assert_close(a[:, :heard], b[:, :heard], atol=1e-6, rtol=0)
    assert (a[:, heard + HOP :] - b[:, heard + HOP :]).abs().max() > 1e-3

    decoder = small_decoder()
    tokens = torch.randint(64, (1, 20), generator=torch.Generator().manual_seed(3))
    other = tokens.clone()
    other[:, 10 + t2m.LOOKAHEAD + 1 :] = (other[:, 10 + t2m.LOOKAHEAD + 1 :] + 1) % 64
    m, n = decoder(tokens)[0], decoder(other)[0]
    torch.testing.assert_close(m[:, :, :88], n[:, :, :88], atol=1e-5, rtol=0)
    assert (m[:, :, 88:] - n[:, :, 88:]).abs().max() > 1e-3


@given(sizes=st.lists(st.integers(1, 5), min_size=1, max_size=5))
@settings(max_examples=10, deadline=None)
@torch.no_grad()
def test_token_chunks_played_as_they_come_give_the_whole_utterance(sizes: list[int]) -> None:
    decoder, vocoder = small_decoder(), small_vocoder()
    tokens = torch.randint(64, (1, sum(sizes)), generator=torch.Generator().manual_seed(9))
    mel, pitch = decoder(tokens)
    whole = vocoder(mel, pitch)[0]

    pad = torch.full((1, t2m.LOOKAHEAD), decoder.config.pad)
    early, late = t2m.LOOKAHEAD * t2m.TOKEN_FRAMES, voc.LOOKAHEAD * HOP  # dropped at the start
    state, sound, parts = decoder.state(), vocoder.state(), []
    for chunk in (*tokens.split(sizes, 1), pad):
        mel, pitch, state = decoder.step(chunk, state)
        mel, pitch, early = mel[:, :, early:], pitch[:, :, early:], max(0, early - mel.shape[2])
        if mel.shape[2] > 0:
            wave, sound = vocoder.step(mel, pitch, sound)
            parts.append(wave[0, 0])
    flush = vocoder.step(mel[:, :, -1:].repeat(1, 1, 2), pitch[:, :, -1:].repeat(1, 1, 2), sound)
    heard = torch.cat([*parts, flush[0][0, 0]])[late:]
    torch.testing.assert_close(heard, whole, atol=TOLERANCE, rtol=0)


def test_bases_together_change_nothing() -> None:
    forward, back = voc.dft_bases()
    sound = torch.randn(1, 1, 20 * HOP, generator=torch.Generator().manual_seed(0))
    spectrum = torch.nn.functional.conv1d(sound, forward, stride=HOP)
    again = torch.nn.functional.conv_transpose1d(spectrum, back, stride=HOP)
    inside = slice(voc.WINDOW, -voc.WINDOW)
    torch.testing.assert_close(again[..., inside], sound[..., inside], atol=1e-5, rtol=0)


@torch.no_grad()
def test_pulses_have_the_pitch_that_was_asked_for() -> None:
    model = small_vocoder()
    pitch = torch.tensor([np.log(200.0), 1.0]).float()[None, :, None].repeat(1, 1, 100)
    pulse, phase = model._pulses(torch.cat([pitch[:, :, :1], pitch], 2), torch.zeros(1, 1))
    sound = pulse[0, 0].numpy()
    assert sound.std() == pytest.approx(1.0, abs=0.06)  # its top harmonics are faded out
    peaks = np.flatnonzero(sound > 0.8 * sound.max())
    assert len(peaks) == 200  # in one second
    assert set(np.diff(peaks)) == {80}  # samples
    assert 0 <= float(phase) < 1


def test_torch_mel_is_the_mel_of_the_box() -> None:
    sound = np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32)
    made = spectral_losses.log_mel(torch.from_numpy(sound)[None])[0].numpy()
    np.testing.assert_allclose(made, log_mel(sound), atol=1e-3)


def test_sizes_are_those_of_the_design() -> None:
    assert 0.9e6 < sum(p.numel() for p in Vocoder().parameters()) < 1.3e6
    assert 1.7e6 < sum(p.numel() for p in SpeechDecoder().parameters()) < 2.3e6


@pytest.fixture(scope="module")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("graphs")
    export_speech_decoder(small_decoder(), folder / "speech_decoder.onnx")
    export_vocoder(small_vocoder(), folder / "vocoder.onnx")
    return folder


@pytest.mark.parametrize("part", ["speech_decoder", "vocoder"])
def test_graph_keeps_the_contract_of_engines(graphs: Path, part: str) -> None:
    path = graphs / f"{part}.onnx"
    lint.check(path)  # raises with every finding
    model = onnx.load(path)
    assert opset_of(model) == 18
    inputs, outputs, state = tensor_specs(model)
    names = {"speech_decoder": ["tokens", "mel", "pitch"], "vocoder": ["mel", "pitch", "wave"]}
    assert [t.name for t in (*inputs, *outputs)] == names[part]
    assert all(isinstance(dim, int) for tensor in state for dim in tensor.dims)


def streamed(
    path: Path,
    names: tuple[str, ...],
    outputs: int,
    feeds: list[dict[str, np.ndarray]],
    state: tuple[torch.Tensor, ...],
) -> list[np.ndarray]:
    """Run a graph over chunks, each state output fed back; the outputs joined along time."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    held = {name: value.numpy() for name, value in zip(names, state, strict=True)}
    joined: list[list[np.ndarray]] = [[] for _ in range(outputs)]
    assert [o.name for o in session.get_outputs()][outputs:] == [f"{n}_out" for n in names]
    for feed in feeds:
        results = session.run(None, {**feed, **held})
        held = dict(zip(names, results[outputs:], strict=True))
        for column, value in zip(joined, results[:outputs], strict=True):
            column.append(value)
    return [np.concatenate(column, axis=-1) for column in joined]


SIZES = [1, 4, 2, 13, 1, 8]


@torch.no_grad()
def test_exported_decoder_streams_what_torch_says(graphs: Path) -> None:
    model = small_decoder()
    tokens = torch.randint(65, (1, sum(SIZES)), generator=torch.Generator().manual_seed(5))
    mel, pitch, _ = model.step(tokens, model.state())
    feeds = [{"tokens": part.numpy()} for part in tokens.split(SIZES, 1)]
    path = graphs / "speech_decoder.onnx"
    made = streamed(path, model.state_names(), 2, feeds, model.state())
    np.testing.assert_allclose(made[0], mel.numpy(), atol=TOLERANCE)
    np.testing.assert_allclose(made[1], pitch.numpy(), atol=TOLERANCE)


@torch.no_grad()
def test_exported_vocoder_streams_what_torch_says(graphs: Path) -> None:
    model = small_vocoder()
    mel, pitch = speech_like(sum(SIZES))
    whole, _ = model.step(mel, pitch, model.state())
    feeds = [
        {"mel": m.numpy(), "pitch": p.numpy()}
        for m, p in zip(mel.split(SIZES, 2), pitch.split(SIZES, 2), strict=True)
    ]
    made = streamed(graphs / "vocoder.onnx", model.state_names(), 1, feeds, model.state())
    np.testing.assert_allclose(made[0], whole.numpy(), atol=TOLERANCE)
