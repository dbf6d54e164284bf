"""GLM-4-Voice's flow: like its public relatives, the same in steps as whole, exact in frames."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from device.speech.glm_frames import BLOCK, FRAMES, HELD, TOKENS, Window, frames_of, nearest, times
from model_export.families.glm_4_voice.estimator import Estimator, EstimatorConfig
from model_export.families.glm_4_voice.flow import Flow, FlowConfig
from model_export.families.glm_4_voice.flow_encoder import FlowEncoderConfig
from model_export.families.glm_4_voice.norms import GroupNorm, Mish
from tests.support.parity import chatterbox, needs_chatterbox

pytestmark = pytest.mark.filterwarnings(
    "ignore:`LoRACompatibleLinear` is deprecated:FutureWarning"  # what chatterbox builds upon
)
SMALL = FlowConfig(
    codes=64,
    encoder=FlowEncoderConfig(dim=64, heads=4, ffn=96, layers=3, positions=128),
    estimator=EstimatorConfig(dim=32, heads=2, head_dim=16, transformers=1, middle=2),
)
ENCODER, ESTIMATOR, SOLVED = 1e-6, 1e-5, 1e-4  # float32, absolute
CACHED = 5e-6  # matrix products of other shapes add in another order


@pytest.fixture(scope="module")
def flow() -> Flow:
    torch.manual_seed(5)
    flow = Flow(SMALL).eval()
    for name, parameter in flow.named_parameters():  # zeros and ones would hide mistakes
        if parameter.dim() == 1 or "pos_bias" in name:
            nn.init.normal_(parameter, mean=float("norm" in name), std=0.2)
    return flow


def tokens_of(count: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).integers(0, SMALL.codes, (1, count)))


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    made = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    return torch.from_numpy(made)


@torch.no_grad()
def chatterbox_encoder(flow: Flow, tokens: torch.Tensor) -> torch.Tensor:
    """The encoder's weights in chatterbox's layers, under a mask of blocks of ten."""
    cfg = flow.cfg.encoder
    positions = chatterbox("transformer.embedding").EspnetRelPositionalEncoding(cfg.dim, 0.0)
    embed = chatterbox("transformer.subsampling").LinearNoSubsampling(
        cfg.dim, cfg.dim, 0.0, positions
    )
    attention = chatterbox("transformer.attention").RelPositionMultiHeadedAttention
    feed_forward = chatterbox("transformer.positionwise_feed_forward").PositionwiseFeedForward
    layer = chatterbox("transformer.encoder_layer").ConformerEncoderLayer
    twin = nn.Module()
    twin.embed = embed
    twin.encoders = nn.ModuleList(
        layer(
            cfg.dim,
            attention(cfg.heads, cfg.dim, 0.0),
            feed_forward(cfg.dim, cfg.ffn, 0.0, nn.SiLU()),
            dropout_rate=0.0,
        )
        for _ in range(cfg.layers)
    )
    twin.after_norm = nn.LayerNorm(cfg.dim, eps=1e-5)
    twin.load_state_dict(flow.encoder.state_dict())
    for module in twin.encoders.modules():
        if isinstance(module, nn.LayerNorm):
            module.eps = 1e-5  # as in GLM-4-Voice; chatterbox is of the later 1e-12
    twin.eval()
    length = tokens.shape[1]
    block = torch.arange(length) // BLOCK
    mask = (block[None, :] <= block[:, None])[None]
    x, distances, _ = twin.embed(flow.input_embedding(tokens), torch.ones(1, 1, length).bool())
    for encoder_layer in twin.encoders:
        x, *_ = encoder_layer(x, mask, distances)
    return flow.encoder_proj(twin.after_norm(x))


@needs_chatterbox
@pytest.mark.parametrize("count", [1, 10, 13, 57, 100])
def test_the_encoder_is_that_of_chatterbox_in_blocks(flow: Flow, count: int) -> None:
    tokens = tokens_of(count)
    with torch.no_grad():
        h, _ = flow.encode(tokens, flow.start())
    torch.testing.assert_close(h, chatterbox_encoder(flow, tokens), atol=ENCODER, rtol=0)


@pytest.mark.parametrize("count", [10, 57, 100])
def test_blocks_of_ten_behind_a_cache_give_what_the_whole_gives(flow: Flow, count: int) -> None:
    tokens, past, parts = tokens_of(count), flow.start(), []
    with torch.no_grad():
        whole, _ = flow.encode(tokens, flow.start())
        for at in range(0, count, BLOCK):
            h, past = flow.encode(tokens[:, at : at + BLOCK], past)
            parts.append(h)
    torch.testing.assert_close(torch.cat(parts, 1), whole, atol=CACHED, rtol=0)


def test_a_cut_within_a_block_is_not_exact(flow: Flow) -> None:
    tokens = tokens_of(30)
    with torch.no_grad():
        whole, _ = flow.encode(tokens, flow.start())
        cut, _ = flow.encode(tokens[:, :25], flow.start())
    difference = (cut - whole[:, :25]).abs().amax(2)[0]
    assert difference[:20].max() < CACHED
    assert difference[20:].min() > 1e-4


def chatterbox_estimator(ours: Estimator) -> nn.Module:
    cfg = ours.cfg
    twin = chatterbox("decoder").ConditionalDecoder(
        in_channels=cfg.inputs, out_channels=cfg.mels, causal=False, channels=[cfg.dim] * 2,
        n_blocks=cfg.transformers, num_mid_blocks=cfg.middle, num_heads=cfg.heads,
        attention_head_dim=cfg.head_dim, act_fn="gelu",
    )  # fmt: skip
    twin.load_state_dict(ours.state_dict())
    return twin.eval()


def estimator_inputs(frames: int) -> tuple[torch.Tensor, ...]:
    """x, mu, cond, t, spks."""
    x, mu, cond = (normal(2, 80, frames, seed=n) for n in range(3))
    return x, mu, cond, torch.tensor([0.05, 0.7]), normal(2, 80, seed=4)


@needs_chatterbox
@pytest.mark.parametrize("frames", [1, 2, 34, 68, 103, 441])
def test_the_velocity_is_that_of_chatterbox(flow: Flow, frames: int) -> None:
    x, mu, cond, t, spks = estimator_inputs(frames)
    twin = chatterbox_estimator(flow.decoder.estimator)
    with torch.no_grad():
        wanted = twin(x, torch.ones(2, 1, frames), mu, t, spks, cond)
        got = flow.decoder.estimator(x, mu, cond, t, spks)
    torch.testing.assert_close(got, wanted, atol=ESTIMATOR, rtol=0)


@needs_chatterbox
def test_at_full_width_too() -> None:
    torch.manual_seed(6)
    ours = Estimator(EstimatorConfig()).eval()
    x, mu, cond, t, spks = estimator_inputs(13)
    with torch.no_grad():
        wanted = chatterbox_estimator(ours)(x, torch.ones(2, 1, 13), mu, t, spks, cond)
        torch.testing.assert_close(ours(x, mu, cond, t, spks), wanted, atol=ESTIMATOR, rtol=0)


@needs_chatterbox
@pytest.mark.parametrize("tokens", [10, 15])
def test_ten_guided_steps_end_where_those_of_chatterbox_do(flow: Flow, tokens: int) -> None:
    frames = frames_of(tokens)
    h, noise = normal(1, tokens, 80, seed=7), normal(1, 80, frames, seed=8)
    known = normal(1, 80, 34, seed=9)
    matching = chatterbox("flow_matching")
    twin = matching.ConditionalCFM(
        240, matching.CFM_PARAMS, 1, 80, chatterbox_estimator(flow.decoder.estimator)
    )
    grid = torch.linspace(0, 1, 11)
    with torch.no_grad():
        mu = flow.length_regulator(h, torch.from_numpy(nearest(tokens)))
        wanted = twin.solve_euler(
            noise, 1 - torch.cos(grid * 0.5 * torch.pi), mu, torch.ones(1, 1, frames),
            flow.speaker(torch.zeros(1, 192)), F.pad(known, (0, frames - 34)),
        )  # fmt: skip
        got = flow.mel(h, known, noise)
    torch.testing.assert_close(got, wanted[:, :, 34:], atol=SOLVED, rtol=0)


def test_the_zero_voice_is_the_bias_of_its_layer(flow: Flow) -> None:
    bias = flow.spk_embed_affine_layer.bias
    assert torch.equal(flow.speaker(torch.zeros(1, 192))[0], bias)


def plain_regulator(flow: Flow, h: torch.Tensor, frames: int) -> torch.Tensor:
    x = F.interpolate(h.transpose(1, 2), size=frames, mode="nearest")
    layers = list(flow.length_regulator.model)
    for n in range(0, 12, 3):
        norm = layers[n + 1]
        x = F.mish(F.group_norm(layers[n](x), 1, norm.weight, norm.bias, norm.eps))
    return layers[12](x)


@pytest.mark.parametrize("tokens", [1, 5, 10, 33, 64])
def test_the_regulator_is_nearest_interpolation_and_smoothing(flow: Flow, tokens: int) -> None:
    h = normal(1, tokens, 80)
    with torch.no_grad():
        got = flow.length_regulator(h, torch.from_numpy(nearest(tokens)))
        wanted = plain_regulator(flow, h, frames_of(tokens))
    torch.testing.assert_close(got, wanted, atol=1e-5, rtol=0)


def test_our_words_for_group_norm_and_mish_mean_the_same() -> None:
    x = 3 * normal(2, 32, 17)
    ours, theirs = GroupNorm(8, 32), nn.GroupNorm(8, 32)
    theirs.load_state_dict(ours.state_dict())
    torch.testing.assert_close(ours(x), theirs(x), atol=2e-6, rtol=0)
    far = torch.tensor([-1e4, -90.0, -5.0, 0.0, 5.0, 90.0, 1e4])
    torch.testing.assert_close(Mish()(far), F.mish(far), atol=1e-5, rtol=1e-6)


def test_frames_are_counted_as_upstream_counts_them() -> None:
    """Upstream truncates a float32 product; whole numbers give the same up to 271 s."""
    counts = np.arange(1, 3392)
    upstream = (torch.from_numpy(counts) / 12.5 * 22_050 / 256).int().numpy()
    assert [frames_of(n) for n in counts] == upstream.tolist()
    known = {5: 34, 10: 68, 15: 103, 20: 137, 25: 172, 30: 206, 50: 344, 75: 516, 100: 689}
    known |= {175: 1205, 375: 2583, 525: 3617, 64: 441}
    assert {n: frames_of(n) for n in known} == known
    assert frames_of(5) == HELD


def test_the_nearest_map_is_that_of_torch() -> None:
    for tokens in range(1, 200):
        ramp = torch.arange(tokens, dtype=torch.float64)[None, None]
        wanted = F.interpolate(ramp, size=frames_of(tokens), mode="nearest")[0, 0]
        assert nearest(tokens).tolist() == wanted.long().tolist(), tokens


def test_the_solver_stops_at_the_published_times() -> None:
    published = [0, 0.01231, 0.04894, 0.10899, 0.19098, 0.29289, 0.41221, 0.54601, 0.69098, 0.84357]
    np.testing.assert_allclose(times(), [*published, 1.0], atol=5e-6)


def test_a_window_of_64_tokens_is_441_frames_wherever_it_lies() -> None:
    for tokens in range(TOKENS, 700):
        window = Window.of(tokens, released=frames_of(tokens - BLOCK) - HELD)
        assert (window.tokens, window.frames) == (TOKENS, FRAMES)
        assert window.first_frame + window.frames == frames_of(tokens)
        assert window.first_frame + window.known == frames_of(tokens - BLOCK) - HELD


def test_before_it_is_full_a_window_is_everything() -> None:
    sizes = [Window.of(n, 0).frames for n in range(10, 61, 10)]
    assert sizes == [68, 137, 206, 275, 344, 413]


@pytest.mark.parametrize(("tokens", "released", "widest"), [(64, 442, 64), (100, 0, 64), (9, 0, 9)])
def test_a_window_that_cannot_be_is_refused(tokens: int, released: int, widest: int) -> None:
    with pytest.raises(ValueError, match=r"released|whole number"):
        Window.of(tokens, released, widest)


@torch.no_grad()
def streamed(flow: Flow, tokens: torch.Tensor, noise: torch.Tensor, widest: int) -> torch.Tensor:
    """Blocks of ten through the cached encoder and a window; released frames are the condition."""
    count = tokens.shape[1]
    past, h = flow.start(), torch.zeros(1, 0, 80)
    mel = torch.zeros(1, 80, 0)  # final frames
    for at in range(0, count, BLOCK):
        new, past = flow.encode(tokens[:, at : at + BLOCK], past)
        h = torch.cat([h, new], dim=1)
        window = Window.of(h.shape[1], mel.shape[2], widest)
        end = window.first_frame + window.frames
        made = flow.mel(
            h[:, window.first_token :], mel[:, :, window.first_frame :],
            noise[:, :, window.first_frame : end], steps=2,
        )  # fmt: skip
        keep = made.shape[2] - (0 if at + BLOCK >= count else HELD)
        mel = torch.cat([mel, made[:, :, :keep]], dim=2)
    return mel


@pytest.mark.parametrize("count", [10, 64, 97])
def test_a_streamed_reply_has_every_frame_once(flow: Flow, count: int) -> None:
    noise = normal(1, 80, frames_of(count))
    assert streamed(flow, tokens_of(count), noise, TOKENS).shape == (1, 80, frames_of(count))


def test_while_all_fits_the_window_it_makes_no_difference(flow: Flow) -> None:
    tokens, noise = tokens_of(60), normal(1, 80, frames_of(60))
    bounded, whole = (streamed(flow, tokens, noise, widest) for widest in (TOKENS, 10 * TOKENS))
    assert torch.equal(bounded, whole)


def test_a_reply_of_one_block_is_the_whole_solved_at_once(flow: Flow) -> None:
    tokens, noise = tokens_of(10), normal(1, 80, frames_of(10))
    with torch.no_grad():
        wanted = flow(tokens, noise, steps=2)
    assert torch.equal(streamed(flow, tokens, noise, TOKENS), wanted)
