"""The training of the voice, on a corpus small enough for a test."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from itertools import chain, count
from pathlib import Path

import numpy as np
import pytest
import torch

from device.sound.mel import HOP, N_MELS, log_mel
from model_export.families.linnet_mini.speech_decoder import SpeechDecoder, SpeechDecoderConfig
from model_export.families.linnet_mini.vocoder import Vocoder, VocoderConfig
from model_export.training import decoder, decoder_data, decoder_report, reply_voice
from model_export.training.decoder_trainer import Run, Trainer, load_weights

torch.set_num_threads(1)
CODES = 32


def clock() -> Callable[[], float]:
    """One second passes whenever it is read: once before the first step and once a step."""
    return partial(next, map(float, count()))


def tone(hz: float, seconds: float) -> np.ndarray:
    """A buzzing vowel, float32[n]."""
    turns = np.arange(int(16_000 * seconds)) * hz / 16_000
    sound = sum(np.cos(2 * np.pi * k * turns) / k for k in range(1, 20))
    return (0.05 * np.asarray(sound)).astype(np.float32)


def clip(stem: str, hz: float) -> reply_voice.Clip:
    pcm = tone(hz, 1.28)
    pitch = np.stack([np.full(128, np.log(hz)), np.ones(128)]).astype(np.float32)
    mel = log_mel(pcm).astype(np.float16)
    return reply_voice.Clip(stem, "a", (pcm * 32767).astype(np.int16), mel, pitch)


CLIPS = [clip(f"{i:06d}", 120.0 + 10 * i) for i in range(6)]
TOKENS = {c.stem: np.arange(16) * 2 % CODES for c in CLIPS}


def test_vocoder_learns_and_goes_on_after_a_stop(tmp_path: Path) -> None:
    config = VocoderConfig(dim=16, hidden=16, layers=1)
    batches = decoder_data.vocoder_batches(CLIPS, 4, 0, "cpu")
    check = next(decoder_data.vocoder_batches(CLIPS, 4, 1, "cpu"))
    torch.manual_seed(0)
    plan = Run(tmp_path, 0.5, 5e-3, "cpu")
    first = Trainer(Vocoder(config), decoder.vocoder_loss, plan, clock())
    before = first.evaluate(check)
    after = first.fit(batches, check)
    assert sum(after.values()) < 0.9 * sum(before.values())

    more = Run(tmp_path, 0.6, 5e-3, "cpu")
    second = Trainer(Vocoder(config), decoder.vocoder_loss, more, clock())
    assert second.steps == first.steps == 30
    assert second.spent == first.spent == 30.0
    assert second.evaluate(check) == pytest.approx(after)
    second.fit(batches, check)
    assert second.steps == 36


def test_a_batch_that_is_not_finite_changes_nothing(tmp_path: Path) -> None:
    model = Vocoder(VocoderConfig(dim=16, hidden=16, layers=1))
    trainer = Trainer(model, decoder.vocoder_loss, Run(tmp_path, 1.0, 1e-3, "cpu"))
    mel, pitch, pcm = next(decoder_data.vocoder_batches(CLIPS, 2, 0, "cpu"))
    before = {k: v.clone() for k, v in model.state_dict().items()}
    trainer._step((mel, pitch, pcm * torch.nan), 0.0)
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())


def test_token_decoder_learns_from_tokens(tmp_path: Path) -> None:
    config = SpeechDecoderConfig(codes=CODES, dim=32, hidden=32, frame_dim=24, frame_hidden=32)
    torch.manual_seed(0)
    model = SpeechDecoder(config)
    batches = decoder_data.t2m_batches(CLIPS, TOKENS, CODES, 4, 0.02, 0, "cpu")
    check = next(decoder_data.t2m_batches(CLIPS, TOKENS, CODES, 4, 0.0, 1, "cpu"))
    trainer = Trainer(model, decoder.t2m_loss, Run(tmp_path, 2.0, 5e-3, "cpu"), clock())
    before = trainer.evaluate(check)
    after = trainer.fit(batches, check)
    assert after["mel"] < 0.5 * before["mel"]

    again = SpeechDecoder(config)
    load_weights(again, tmp_path)
    made = decoder_data.with_made_mels(CLIPS[:2], TOKENS, again.eval())
    assert made[0].mel.shape == (128, N_MELS)
    assert made[0].pitch.shape == (2, 128)
    assert len(made[0].pcm) == 128 * HOP


def test_tokens_that_do_not_belong_are_refused() -> None:
    with pytest.raises(ValueError, match="outside"):
        decoder_data.align(CLIPS[0], np.full(16, CODES), CODES)
    with pytest.raises(ValueError, match="40 tokens for 128 frames"):
        decoder_data.align(CLIPS[0], np.zeros(40, np.int64), CODES)
    code, mel, pitch = decoder_data.align(CLIPS[0], np.zeros(15, np.int64), CODES)
    assert (len(code), mel.shape[1], pitch.shape[1]) == (15, 120, 120)


def test_tidy_trims_levels_and_fills_whole_tokens() -> None:
    quiet = np.zeros(8_000, np.float32)
    made = reply_voice.tidy(np.concatenate([quiet, tone(150.0, 0.5), quiet]))
    assert made is not None
    assert len(made) % reply_voice.TOKEN_SAMPLES == 0
    assert len(made) < 16_000
    voiced = made[reply_voice.LEAD : reply_voice.LEAD + 8_000]
    assert np.sqrt((voiced**2).mean()) == pytest.approx(reply_voice.SPEECH_RMS, rel=0.05)
    assert reply_voice.tidy(quiet) is None


def test_word_errors() -> None:
    assert decoder_report.word_errors(["the", "lamp", "is", "on"], ["a", "lamp", "on"]) == 2
    assert decoder_report.word_errors([], ["x"]) == 1


def test_pitch_is_that_of_the_sound() -> None:
    pytest.importorskip("pyworld")
    pitch = reply_voice.pitch_of(tone(180.0, 1.0))
    assert pitch.shape == (2, 100)
    assert np.exp(np.median(pitch[0])) == pytest.approx(180.0, rel=0.01)
    assert pitch[1].mean() > 0.8


@pytest.mark.skipif(shutil.which("flite") is None, reason="flite is not installed")
def test_corpus_is_spoken_once_and_continued(tmp_path: Path) -> None:
    pytest.importorskip("pyworld")
    texts = ["The lamp is on.", "the lamp is on", "It is 5 past 7", "good night"]
    assert reply_voice.make_corpus(texts[:2], "flite-slt", tmp_path, hours=1.0) == 1
    endless = chain(texts, (f"number {n}" for n in count(1)))
    made = reply_voice.make_corpus(endless, "flite-slt", tmp_path, hours=4 / 3600)
    clips = reply_voice.load_corpus(tmp_path)
    known = ["the lamp is on", "it is five past seven", "good night", "number one", "number two"]
    assert [c.text for c in clips] == known[:made]
    assert [c.stem for c in clips] == [f"{n:06d}" for n in range(made)]
    seconds = [len(c.pcm) / 16_000 for c in clips]
    assert sum(seconds[:-1]) < 4 <= sum(seconds)
    for c in clips:
        assert len(c.pcm) == len(c.mel) * HOP == c.pitch.shape[1] * HOP
        assert 120 < np.exp(np.median(c.pitch[0][c.pitch[1] > 0])) < 260  # a woman's voice
