"""Speech as each network of GLM-4-Voice is fed it, to calibrate on and to be judged by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch

from device.engine.contract import Array
from device.engine.onnx_cpu import OnnxCpuEngine
from device.sound.whisper_mel import PIECE, log_mel, tokens_of
from device.speech.glm_frames import frames_of, nearest, times
from device.speech.harmonic_source import HARMONICS, HOP
from model_export.calibrate import Runs
from model_export.checkpoints.ranks import SPECIALS
from model_export.families.glm_4_voice.flow import Flow
from model_export.families.glm_4_voice.tokenizer import Tokenizer
from model_export.samples import held_out

Floats = npt.NDArray[np.float32]
Feed = dict[str, Array]
TOKENS = 20  # of an utterance that the decoder is fed: two of its blocks
SOURCE_LEVEL = 0.1  # of the harmonics that the vocoder is fed
RATE = 16_000
KEPT_S = 60
"""Of speech, whose keys and values take half a gigabyte at the published size: less than the float
tokenizer, which working them out anew would keep in memory (1.3 GB)."""


@dataclass
class Heard:
    """Utterances at 16 kHz and the codes that the float tokenizer hears in them."""

    pcm: Sequence[Floats]
    codes: list[list[int]] = field(default_factory=list)

    def listen(self, tokenizer: Tokenizer) -> None:
        """Fill in the codes."""
        with torch.no_grad():
            for pcm in self.pcm:
                mel = torch.from_numpy(log_mel(pcm[:PIECE]))
                self.codes.append(tokenizer(mel[None])[0].tolist())

    def split(self) -> tuple[Heard, Heard]:
        """Those to calibrate on and those to be judged by: itself twice, where they are few."""
        both = held_out(len(self.pcm))
        if both[0] == both[1]:
            return self, self
        calibration, judged = (
            Heard([self.pcm[n] for n in numbers], [self.codes[n] for n in numbers if self.codes])
            for numbers in both
        )
        return calibration, judged

    def prompts(self) -> list[list[int]]:
        """Each utterance as the language model reads it."""
        ids = SPECIALS
        head = [ids["[gMASK]"], ids["<sop>"], ids["<|user|>"], ids["<|begin_of_audio|>"]]
        tail = [ids["<|end_of_audio|>"], ids["<|assistant|>"]]
        return [head + [ids["<|audio_0|>"] + code for code in codes] + tail for codes in self.codes]


def tokenizer_feeds(engine: OnnxCpuEngine, block: int, heard: Heard) -> Runs:
    """What the tokenizer's graph is fed while it streams; a list where that is not large.

    Args:
        engine: the float tokenizer; a list does without it.
        block: frames of 100 Hz at once.
    """
    feeds = TokenizerFeeds(engine, heard, block)
    return list(feeds) if sum(map(len, heard.pcm)) <= KEPT_S * RATE else feeds


@dataclass(frozen=True)
class TokenizerFeeds:
    """What the tokenizer's graph is fed while it streams, one run at a time.

    Every run is fed keys and values of all before it, so a list of them would be gigabytes for a
    minute of speech. They are worked out anew each time instead: twice the runs, one clip's memory.

    Attributes:
        engine: the float tokenizer.
        heard: the utterances.
        block: frames of 100 Hz at once.
    """

    engine: OnnxCpuEngine
    heard: Heard
    block: int

    def __len__(self) -> int:
        """Of runs."""
        return sum(-(-8 * tokens_of(len(pcm[:PIECE])) // self.block) for pcm in self.heard.pcm)

    def __iter__(self) -> Iterator[Feed]:
        for pcm in self.heard.pcm:
            yield from self._of(log_mel(pcm[:PIECE]))

    def _of(self, mel: Floats) -> Iterator[Feed]:
        state = self.engine.new_state(PIECE // 320)
        for start in range(0, len(mel), self.block):
            chunk = mel[start : start + self.block]
            rows, past = len(chunk) // 2, start // 2
            fed: Feed = {
                "mel": chunk,
                "position_ids": np.arange(past, past + rows),
                "mask": np.zeros((rows, past + rows), np.float32),
            }
            yield {**fed, **state.feeds()}  # of an append-only past: no copies
            self.engine.run(fed, state)


@torch.no_grad()
def estimator_feeds(flow: Flow, heard: Heard) -> list[Feed]:
    """Noise on its way to speech, at three times of the flow."""
    feeds: list[Feed] = []
    rng = np.random.default_rng(0)
    for codes in heard.codes:
        tokens = _tokens(codes)
        h, _ = flow.encode(tokens, flow.start())
        mu = flow.length_regulator(h, torch.from_numpy(nearest(tokens.shape[1]))).numpy()
        spk = flow.speaker(torch.zeros(1, flow.cfg.voice)).numpy()
        for time in (times()[1], times()[5], times()[8]):
            x = rng.standard_normal(mu.shape).astype(np.float32)
            pair = [np.concatenate([side, side]) for side in (x, mu, np.zeros_like(mu), spk)]
            for side in pair[1:]:
                side[1] = 0.0  # the run that is not conditioned
            x2, mu2, cond, spk2 = pair
            t = np.full(2, time, np.float32)
            feeds.append({"x": x2, "mu": mu2, "cond": cond, "t": t, "spk": spk2})
    return feeds


@torch.no_grad()
def encoder_feeds(flow: Flow, heard: Heard) -> list[Feed]:
    """One block of ten tokens from the beginning of each reply."""
    cfg = flow.cfg.encoder
    none = np.zeros((0, cfg.heads, cfg.head_dim), np.float32)
    caches = {f"past_{kind}_{n}": none for n in range(cfg.layers) for kind in "kv"}
    return [
        {
            "tokens": _tokens(codes)[0, :10].numpy(),
            "position_ids": np.arange(10),
            "mask": np.zeros((10, 10), np.float32),
            **caches,
        }
        for codes in heard.codes
    ]


@torch.no_grad()
def vocoder_feeds(flow: Flow, heard: Heard) -> list[Feed]:
    """Mel of the flow and harmonics of no particular pitch."""
    rng = np.random.default_rng(0)
    feeds: list[Feed] = []
    for codes in heard.codes:
        tokens = _tokens(codes)
        frames = frames_of(tokens.shape[1])
        noise = rng.standard_normal((1, flow.cfg.estimator.mels, frames)).astype(np.float32)
        mel = flow(tokens, torch.from_numpy(noise), 2).numpy()
        waves = rng.standard_normal((frames, HOP, HARMONICS)).astype(np.float32) * SOURCE_LEVEL
        feeds.append({"mel": mel, "waves": waves})
    return feeds


def _tokens(codes: list[int]) -> torch.Tensor:
    """The first of them, int64 [1, TOKENS], repeated where there are too few."""
    repeated = (codes * TOKENS)[:TOKENS]
    return torch.tensor(repeated)[None]
