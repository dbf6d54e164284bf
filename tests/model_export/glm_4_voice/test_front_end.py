"""The log-mel of GLM-4-Voice's tokenizer is Whisper's, whole and streamed."""

from __future__ import annotations

import numpy as np
import pytest

from device.sound.whisper_mel import (
    N_MELS,
    PIECE,
    RANGE,
    WhisperMelStream,
    filterbank,
    log_mel,
    scaled,
    tokens_of,
)
from tests.support.parity import needs_transformers

LENGTHS = (1, 1279, 1280, 1281, 16_000, 16_001, 480_000)
# Ours is computed in double precision; the reference in torch's single, which is what differs.
TOLERANCE = 1e-6
TOLERANCE_TORCH = 5e-5


def speech(samples: int, seed: int = 0) -> np.ndarray:
    """Gliding tones in noise that swells and fades: loud and faint frames."""
    rng = np.random.default_rng(seed)
    t = np.arange(samples) / 16_000
    tones = sum(np.sin(2 * np.pi * f * t * (1 + 0.1 * t)) for f in rng.uniform(100, 3000, 5))
    swell = 0.05 + np.sin(2 * np.pi * 0.7 * t) ** 2
    return (0.1 * swell * (tones + rng.standard_normal(samples))).astype(np.float32)


def extractor():
    from transformers import WhisperFeatureExtractor

    return WhisperFeatureExtractor(feature_size=N_MELS)


def of_reference(pcm: np.ndarray) -> np.ndarray:
    made = extractor()(
        pcm, sampling_rate=16_000, padding="longest", pad_to_multiple_of=1280, return_tensors="np"
    )
    return made["input_features"][0].T


@needs_transformers
@pytest.mark.parametrize("samples", LENGTHS)
def test_it_equals_the_feature_extractor_of_transformers(samples: int) -> None:
    pcm = speech(samples)
    got, wanted = log_mel(pcm), of_reference(pcm)
    assert got.shape == wanted.shape == (8 * tokens_of(samples), N_MELS)
    np.testing.assert_allclose(got, wanted, atol=TOLERANCE_TORCH)


@needs_transformers
@pytest.mark.parametrize("samples", LENGTHS)
def test_it_equals_that_extractor_in_double_precision(samples: int) -> None:
    pcm = speech(samples)
    filled = np.pad(pcm, (0, -samples % 1280))
    wanted = extractor()._np_extract_fbank_features(filled[None], "cpu")[0].T
    np.testing.assert_allclose(log_mel(pcm), wanted, atol=TOLERANCE)


@needs_transformers
def test_the_filters_are_those_of_transformers() -> None:
    np.testing.assert_allclose(filterbank(), extractor().mel_filters, atol=1e-12)


@pytest.mark.parametrize("samples", LENGTHS)
def test_a_piece_has_a_token_for_each_80_ms_begun(samples: int) -> None:
    assert tokens_of(samples) == int(np.ceil(samples / 1280))
    assert len(log_mel(np.zeros(samples, np.float32))) == 8 * tokens_of(samples)


@pytest.mark.parametrize(("samples", "seed"), [(1, 0), (201, 1), (1281, 2), (50_000, 3)])
def test_heard_in_random_pieces_it_is_the_same(samples: int, seed: int) -> None:
    pcm, rng = speech(samples, seed), np.random.default_rng(seed)
    stream, frames, at = WhisperMelStream(), [], 0
    while at < samples:
        step = int(rng.integers(1, 3000))
        frames.append(stream.step(pcm[at : at + step]))
        at += step
    frames.append(stream.finish())
    got = scaled(np.concatenate(frames), stream.peak)
    assert np.array_equal(got, log_mel(pcm))


def test_a_frame_is_complete_200_samples_after_its_middle() -> None:
    stream = WhisperMelStream()
    assert len(stream.step(speech(1280 + 40 - 1))) == 7
    assert len(stream.step(speech(1))) == 8 - 7


def test_sound_behind_a_token_changes_only_its_neighbour() -> None:
    """Token j ends with frame 8 j + 7, which reaches 40 samples beyond: only the next uses it."""
    pcm = speech(12_800)
    changed = pcm.copy()
    changed[1280 * 5 :] = 0.0
    first, second = (WhisperMelStream().step(x) for x in (pcm, changed))
    same = (first == second).all(axis=1)
    assert same[: 8 * 5 - 1].all()
    assert not same[8 * 5 - 1]


def test_what_is_faint_beside_the_loudest_bin_is_raised_to_eight_decades_below() -> None:
    frames = log_mel(np.pad(speech(16_000), (0, 16_000)))
    assert frames.min() == pytest.approx(frames.max() - RANGE / 4)


def test_more_than_a_piece_is_refused_and_nothing_gives_nothing() -> None:
    stream = WhisperMelStream()
    stream.step(np.zeros(PIECE, np.float32))
    with pytest.raises(ValueError, match="480000"):
        stream.step(np.zeros(1, np.float32))
    assert log_mel(np.zeros(0, np.float32)).shape == (0, N_MELS)
