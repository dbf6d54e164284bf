"""GLM-4-Voice's tokenizer: like Whisper's layers, and the same codes streamed as whole."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from device.engine.onnx_cpu import OnnxCpuEngine
from model_export.families.glm_4_voice.tokenizer import Tokenizer, TokenizerConfig
from tests.support.glm_bundle import tiny_glm, tiny_networks
from tests.support.parity import needs_transformers

SMALL = TokenizerConfig(mels=16, dim=64, heads=4, ffn=96, layers=2, codes=512)


@pytest.fixture(scope="module")
def model() -> Tokenizer:
    torch.manual_seed(3)
    model = Tokenizer(SMALL).eval()
    torch.nn.init.normal_(model.embed_positions.weight, std=0.3)
    torch.nn.init.normal_(model.codebook.weight, std=0.3)
    return model


def mel_of(frames: int, seed: int = 0, mels: int = SMALL.mels) -> torch.Tensor:
    """[1, frames, mels] of something like scaled log-mel."""
    return torch.from_numpy(
        np.random.default_rng(seed).standard_normal((1, frames, mels)).astype(np.float32)
    )


@torch.no_grad()
def streamed(model: Tokenizer, mel: torch.Tensor, frames: torch.Tensor | None) -> torch.Tensor:
    state, codes = model.start(), []
    for at in range(0, mel.shape[1], SMALL.block_mels):
        got, state = model.step(mel[:, at : at + SMALL.block_mels], state, frames)
        codes.append(got)
    return torch.cat(codes, dim=1)


@torch.no_grad()
def of_whisper_layers(model: Tokenizer, mel: torch.Tensor, samples: int) -> torch.Tensor:
    """The same weights in transformers' layers; mask, pooling and search written out plainly."""
    from transformers import WhisperConfig
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    cfg = SMALL
    encoder = WhisperEncoder(
        WhisperConfig(
            num_mel_bins=cfg.mels, d_model=cfg.dim, encoder_layers=cfg.layers,
            encoder_attention_heads=cfg.heads, encoder_ffn_dim=cfg.ffn,
            max_source_positions=cfg.positions, attn_implementation="eager",
        )
    ).eval()  # fmt: skip
    missing, unexpected = encoder.load_state_dict(model.state_dict(), strict=False)
    assert set(missing) == {"layer_norm.weight", "layer_norm.bias"}
    assert set(unexpected) == {"codebook.weight", "embed_positions2.weight"}
    x = F.pad(mel.transpose(1, 2), (2, 0))
    x = F.gelu(F.conv1d(x, encoder.conv1.weight, encoder.conv1.bias))
    x = F.gelu(F.conv1d(F.pad(x, (2, 0)), encoder.conv2.weight, encoder.conv2.bias, stride=2))
    x = x.transpose(1, 2)
    x = x + encoder.embed_positions.weight[: x.shape[1]]
    length = x.shape[1]
    mask = torch.full((1, 1, length, length), torch.finfo(torch.float32).min)
    for i in range(length):
        for block in range(i // cfg.block + 1):
            mask[..., i, block * cfg.block : (block + 1) * cfg.block] = 0.0
    mask[..., -(-samples // 320) :] = torch.finfo(torch.float32).min
    for layer in encoder.layers:
        out = layer(x, mask)
        x = out[0] if isinstance(out, tuple) else out
    x = F.avg_pool1d(x.transpose(1, 2), cfg.pool).transpose(1, 2)
    return torch.cdist(x, model.codebook.weight[None]).argmin(-1)


@needs_transformers
@pytest.mark.parametrize("samples", [1, 1281, 64_000, 200_001])
def test_its_codes_are_those_of_whisper_layers(model: Tokenizer, samples: int) -> None:
    mel = mel_of(8 * -(-samples // 1280), seed=samples)
    with torch.no_grad():
        got = model(mel, torch.tensor([-(-samples // 320)]))
    assert torch.equal(got, of_whisper_layers(model, mel, samples))


@torch.no_grad()
def streams_as_whole(model: Tokenizer, lengths: Iterable[int]) -> None:
    """A shorter piece is the start of a longer one up to its last block, so one stream serves."""
    block = model.cfg.block_mels
    mel, stops = mel_of(2 * model.cfg.positions), list(lengths)
    states, before = [model.start()], list[torch.Tensor]()
    for at in range(0, max(stops) - block, block):  # the states before each block
        got, state = model.step(mel[:, at : at + block], states[-1])
        states.append(state)
        before.append(got)
    for frames in stops:
        index = (frames - 1) // block
        last, _ = model.step(mel[:, index * block : frames], states[index])
        streamed = torch.cat([*before[:index], last], dim=1)
        assert torch.equal(streamed, model(mel[:, :frames])), frames


def test_streamed_codes_are_those_of_the_whole_piece_at_every_length() -> None:
    """Blocks and pieces a tenth as long, for a piece has many lengths."""
    torch.manual_seed(4)
    model = Tokenizer(replace(SMALL, block=20, positions=150)).eval()
    torch.nn.init.normal_(model.embed_positions.weight, std=0.3)
    torch.nn.init.normal_(model.codebook.weight, std=0.3)
    streams_as_whole(model, range(8, 301, 8))


def test_streamed_codes_are_those_of_the_whole_piece_around_every_block(model: Tokenizer) -> None:
    ends = range(400, 3001, 400)
    streams_as_whole(model, [8, *(end + more for end in ends for more in (-8, 0, 8)), 3000])


@pytest.mark.parametrize("samples", [1, 1279, 64_001, 300_123])
def test_what_fills_the_last_token_is_not_seen(model: Tokenizer, samples: int) -> None:
    frames = torch.tensor([-(-samples // 320)])
    mel = mel_of(8 * -(-samples // 1280))
    with torch.no_grad():
        whole = model(mel, frames)
        changed = mel.clone()
        changed[:, 2 * int(frames) :] = 9.0
        assert torch.equal(model(changed, frames)[:, :-1], whole[:, :-1])
    assert torch.equal(streamed(model, mel, frames), whole)


def test_a_batch_of_unequal_pieces_gives_what_each_gives_alone(model: Tokenizer) -> None:
    lengths = [400, 1600, 2008]
    batch = torch.zeros(3, 2008, SMALL.mels)
    for row, length in enumerate(lengths):
        batch[row, :length] = mel_of(length, seed=row)[0]
    with torch.no_grad():
        got = model(batch, torch.tensor(lengths) // 2)
        for row, length in enumerate(lengths):
            assert torch.equal(got[row, : length // 8], model(mel_of(length, seed=row))[0])


def test_a_frame_sees_its_block_and_what_lies_before(model: Tokenizer) -> None:
    seen = (model.block_mask(torch.arange(500), 500, None) == 0).sum(1)
    assert seen[0] == seen[199] == 200
    assert seen[200] == 400
    assert seen[499] == 500


def test_equally_near_codes_give_the_first(model: Tokenizer) -> None:
    twin = Tokenizer(SMALL).eval()
    twin.load_state_dict(model.state_dict())
    with torch.no_grad():
        twin.codebook.weight[300:] = twin.codebook.weight[:212]
        codes = twin(mel_of(800))
    assert int(codes.max()) < 300


@pytest.mark.parametrize("frames", [8, 392, 400, 408, 1000, 3000])
def test_the_graph_stepped_through_its_caches_gives_the_codes_of_torch(frames: int) -> None:
    engine, model = OnnxCpuEngine(tiny_glm().part("tokenizer")), tiny_networks().tokenizer
    mel = mel_of(frames, seed=frames, mels=model.cfg.mels)
    state, codes = engine.new_state(model.cfg.positions), []
    for at in range(0, frames, model.cfg.block_mels):
        block = mel[0, at : at + model.cfg.block_mels].numpy()
        past, new = state.cache.length, len(block) // 2
        feeds = {
            "mel": block,
            "position_ids": np.arange(past, past + new, dtype=np.int64),
            "mask": np.zeros((new, past + new), np.float32),
        }
        codes.append(engine.run(feeds, state)["codes"])
    with torch.no_grad():
        wanted = model(mel)[0].numpy()
    assert np.array_equal(np.concatenate(codes), wanted)
    assert len(set(wanted.tolist())) > 5 or frames < 400
