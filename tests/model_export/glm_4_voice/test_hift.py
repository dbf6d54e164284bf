"""GLM-4-Voice's vocoder: like its public relative, and the same in pieces as at once."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from device.speech.glm_vocoder import CONTEXT, GlmVocoder
from device.speech.harmonic_source import HARMONICS, HOP, HarmonicSource
from device.speech.indexed_noise import indexed_noise
from model_export.families.glm_4_voice.hift import Hift, HiftConfig, Snake
from model_export.families.glm_4_voice.spectrum import InverseStft, Stft
from model_export.families.glm_4_voice.weight_norm import Normed, NormedConvTranspose, folded
from tests.support.parity import chatterbox, needs_chatterbox

SMALL = HiftConfig(dim=64, pitch_dim=48)
DECODED, FOLDED, TRANSFORMED, IN_PIECES = 1e-6, 1e-6, 1e-5, 1e-5  # float32, absolute


@pytest.fixture(scope="module")
def hift() -> Hift:
    torch.manual_seed(8)
    model = Hift(SMALL).eval()
    for name, parameter in model.named_parameters():
        if "alpha" in name:
            nn.init.uniform_(parameter, 0.3, 2.0)
        elif name.endswith("weight_g"):  # other lengths than the directions have themselves
            with torch.no_grad():
                parameter.mul_(torch.rand_like(parameter) + 0.5)
    with torch.no_grad():
        model.f0_predictor.classifier.weight.mul_(600.0)  # some frames voiced, some not
    return model


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def mel_of(frames: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(normal(1, 80, frames, seed=seed))


def chatterbox_twin(hift: Hift) -> nn.Module:
    predictor = chatterbox("f0_predictor").ConvRNNF0Predictor(cond_channels=SMALL.pitch_dim)
    twin = chatterbox("hifigan").HiFTGenerator(
        base_channels=SMALL.dim, sampling_rate=22_050, upsample_rates=[8, 8],
        upsample_kernel_sizes=[16, 16], istft_params={"n_fft": 16, "hop_len": 4},
        source_resblock_kernel_sizes=[7, 11],
        source_resblock_dilation_sizes=[[1, 3, 5], [1, 3, 5]], f0_predictor=predictor,
    )  # fmt: skip
    renamed = {
        name.replace("weight_g", "parametrizations.weight.original0").replace(
            "weight_v", "parametrizations.weight.original1"
        ): tensor
        for name, tensor in hift.state_dict().items()
    }
    twin.load_state_dict(renamed)
    return twin.eval()


@needs_chatterbox
@pytest.mark.parametrize("frames", [3, 34, 71])
def test_it_decodes_as_chatterbox_does(hift: Hift, frames: int) -> None:
    mel, source = mel_of(frames), torch.from_numpy(0.1 * normal(1, 1, HOP * frames, seed=1))
    with torch.no_grad():
        wanted = chatterbox_twin(hift).decode(mel, source)
        got = hift.decode(mel, source)
    assert got.shape == (1, HOP * frames)
    assert 0.01 < wanted.abs().mean() < 0.9
    torch.testing.assert_close(got, wanted, atol=DECODED, rtol=0)


@needs_chatterbox
def test_its_pitch_is_that_of_chatterbox(hift: Hift) -> None:
    with torch.no_grad():
        wanted = chatterbox_twin(hift).f0_predictor(mel_of(50))
        got = hift.pitch(mel_of(50))
    assert (wanted > 10).any()
    assert (wanted < 10).any()
    torch.testing.assert_close(got, wanted, atol=0, rtol=1e-5)


@needs_chatterbox
def test_its_excitation_is_mixed_as_in_chatterbox(hift: Hift) -> None:
    waves = torch.from_numpy(normal(4, HOP, HARMONICS))
    source = chatterbox_twin(hift).m_source
    with torch.no_grad():
        wanted = source.l_tanh(source.l_linear(waves.reshape(1, -1, HARMONICS)))
        torch.testing.assert_close(hift.mix(waves), wanted.transpose(1, 2), atol=1e-7, rtol=0)


def test_folding_the_weight_norms_changes_nothing(hift: Hift) -> None:
    plain = folded(hift)
    assert not any(isinstance(m, Normed) for m in plain.modules())
    mel, source = mel_of(20), torch.from_numpy(0.1 * normal(1, 1, HOP * 20, seed=1))
    with torch.no_grad():
        torch.testing.assert_close(
            plain.decode(mel, source), hift.decode(mel, source), atol=FOLDED, rtol=0
        )
        torch.testing.assert_close(plain.pitch(mel), hift.pitch(mel), atol=0, rtol=FOLDED)


def test_a_transposed_convolution_is_normed_over_its_outputs() -> None:
    ours = NormedConvTranspose(6, 4, 16, 8)
    assert ours.weight_g.shape == (6, 1, 1)
    theirs = nn.utils.parametrizations.weight_norm(nn.ConvTranspose1d(6, 4, 16, 8, padding=4))
    theirs.bias = ours.bias
    theirs.parametrizations.weight.original0 = nn.Parameter(2 * ours.weight_g)
    theirs.parametrizations.weight.original1 = nn.Parameter(ours.weight_v)
    x = torch.randn(1, 6, 9)
    with torch.no_grad():
        ours.weight_g.mul_(2)
        torch.testing.assert_close(ours(x), theirs(x), atol=FOLDED, rtol=0)
        torch.testing.assert_close(ours.plain()(x), theirs(x), atol=FOLDED, rtol=0)


def test_the_transform_is_that_of_torch() -> None:
    x = torch.from_numpy(normal(2, 4 * 50))
    wanted = torch.stft(x, 16, 4, window=torch.hann_window(16), return_complex=True)
    got = Stft()(x[:, None])
    torch.testing.assert_close(
        got, torch.cat([wanted.real, wanted.imag], 1), atol=TRANSFORMED, rtol=0
    )


def test_the_inverse_is_that_of_torch_up_to_both_ends() -> None:
    real, imag = (torch.from_numpy(normal(2, 9, 51, seed=n)) for n in range(2))
    wanted = torch.istft(torch.complex(real, imag), 16, 4, window=torch.hann_window(16))
    got = InverseStft()(torch.cat([real, imag], dim=1))
    torch.testing.assert_close(got, wanted, atol=TRANSFORMED, rtol=0)


def test_a_flat_snake_is_the_identity() -> None:
    snake = Snake(3)
    nn.init.zeros_(snake.alpha)
    x = torch.randn(1, 3, 5)
    with torch.no_grad():
        assert torch.equal(snake(x), x)


# -- excitation ---------------------------------------------------------------------------------


def test_the_closed_form_is_the_running_sum_of_samples() -> None:
    pitch = np.random.default_rng(0).uniform(50, 400, 120)
    made = HarmonicSource(seed=3).excite(pitch.astype(np.float32), 0)
    rate = np.repeat(pitch.astype(np.float32).astype(np.float64), HOP)[:, None]
    cycles = np.cumsum(rate * np.arange(1, HARMONICS + 1) / 22_050, axis=0)
    ends = cycles[HOP - 1 :: HOP] % 1.0
    apart = np.abs(made.cycles[1:] - ends)
    assert np.minimum(apart, 1 - apart).max() < 1e-9
    # The first harmonic begins at phase 0; what differs from its sine is the voiced noise.
    fundamental = 0.1 * np.sin(2 * np.pi * cycles[:, 0])
    noise = made.waves.reshape(-1, HARMONICS)[:, 0] - fundamental
    assert noise.std() == pytest.approx(0.003, rel=0.05)


def test_no_pitch_is_noise_alone() -> None:
    waves = HarmonicSource(seed=3).excite(np.full(40, 9.9, np.float32), 0).waves
    assert waves.std() == pytest.approx(0.1 / 3, rel=0.02)


def test_excitation_in_pieces_is_excitation_at_once() -> None:
    pitch = np.random.default_rng(1).uniform(0, 300, 50).astype(np.float32)
    source = HarmonicSource(seed=4)
    whole = source.excite(pitch, 0)
    first = source.excite(pitch[:17], 0)
    second = source.excite(pitch[17:], 17, first.cycles[-1])
    got = np.concatenate([first.waves, second.waves])
    np.testing.assert_allclose(got, whole.waves, atol=1e-6)


def test_noise_hangs_on_its_place_alone() -> None:
    whole = indexed_noise(7, 0, 30, 11)
    assert np.array_equal(indexed_noise(7, 12, 5, 11), whole[12:17])
    assert not np.array_equal(indexed_noise(8, 12, 5, 11), whole[12:17])
    assert abs(indexed_noise(1, 0, 100, 100).std() - 1) < 0.02


# -- in pieces ----------------------------------------------------------------------------------


def vocoder(hift: Hift) -> GlmVocoder:
    def pitch_of(mel: np.ndarray) -> np.ndarray:
        return hift.pitch(torch.from_numpy(mel)[None])[0].numpy()

    def wave_of(mel: np.ndarray, waves: np.ndarray) -> np.ndarray:
        source = hift.mix(torch.from_numpy(waves))
        return hift.decode(torch.from_numpy(mel)[None], source)[0].reshape(-1, HOP).numpy()

    return GlmVocoder(pitch_of, wave_of, seed=11)


@torch.no_grad()
def at_once(hift: Hift, mel: np.ndarray) -> np.ndarray:
    return vocoder(hift).step(mel, last=True)


@pytest.mark.parametrize("seed", range(4))
def test_in_random_pieces_it_is_the_same_sound(hift: Hift, seed: int) -> None:
    mel, rng = normal(80, 120, seed=seed), np.random.default_rng(seed)
    stream, parts, at = vocoder(hift), [], 0
    with torch.no_grad():
        while at < 120:
            step = int(rng.integers(1, 50))
            parts.append(stream.step(mel[:, at : at + step]))
            at += step
        parts.append(stream.step(mel[:, :0], last=True))
    got, wanted = np.concatenate(parts), at_once(hift, mel)
    assert got.shape == wanted.shape == (HOP * 120,)
    np.testing.assert_allclose(got, wanted, atol=IN_PIECES)


def test_frames_to_come_let_the_newest_out_at_once(hift: Hift) -> None:
    mel, stream, parts = normal(80, 100), vocoder(hift), []
    with torch.no_grad():
        for at in range(0, 60, 20):
            ahead = mel[:, at + 20 : at + 20 + 34]
            parts.append(stream.step(mel[:, at : at + 20], ahead))
            assert len(parts[-1]) == 20 * HOP
        parts.append(stream.step(mel[:, 60:], last=True))
    np.testing.assert_allclose(np.concatenate(parts), at_once(hift, mel), atol=IN_PIECES)


def test_without_context_nothing_is_certain_yet(hift: Hift) -> None:
    stream = vocoder(hift)
    with torch.no_grad():
        assert len(stream.step(normal(80, CONTEXT))) == 0
        assert len(stream.step(normal(80, 1))) == HOP
        assert len(stream.step(normal(80, 0), last=True)) == CONTEXT * HOP


def test_a_frame_reaches_no_further_than_the_context(hift: Hift) -> None:
    """With the excitation fixed a frame is heard 13 frames to either side; pitch adds 5."""
    mel, source = mel_of(60), torch.from_numpy(0.1 * normal(1, 1, HOP * 60, seed=1))
    changed = mel.clone()
    changed[:, :, 30] += 1.0
    with torch.no_grad():
        apart = (hift.decode(mel, source) - hift.decode(changed, source))[0].abs()
        moved = (hift.pitch(mel) != hift.pitch(changed))[0].nonzero()[:, 0]
    touched = (apart > 0).nonzero()[:, 0] // HOP
    assert 30 - 14 <= int(touched.min()) <= int(touched.max()) <= 30 + 14
    assert (int(moved.min()), int(moved.max())) == (25, 35)
