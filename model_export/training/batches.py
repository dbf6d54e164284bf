"""Batches of augmented speech with its letters, for the tokenizer's CTC heads.

Three mouths: the synthetic corpus, people, and the voice that Linnet answers in. The last is there
because replies are rebuilt from its codes: a sound they do not tell apart is a sound lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from device.sound.mel import log_mel
from model_export.training.augment import WARPS, Scenery, augment, spec_augment, warped_log_mel
from model_export.training.corpus import Clip, read_shard, shard_names
from model_export.training.real import SHARES, real_clips
from model_export.training.reply_voice import load_corpus
from services.language.alphabet import encode

Floats = npt.NDArray[np.float32]
BLOCK_MELS = 32
POOL = 240  # clips that are sorted by length together
REPLY_VOICE = "reply"  # label of its clips
REPLY_STRENGTH = 0.3  # of the augmentation: the reply voice is made clean and never heard in a room


@dataclass
class Batch:
    mel: Tensor  # float32 [B, T, 80], T a multiple of 32
    frames: Tensor  # int64 [B], CTC frames (50 Hz) that hold speech
    letters: Tensor  # int64 [sum of lengths]
    lengths: Tensor  # int64 [B], letters
    texts: list[str]


class SpeechSource:
    """Draws clips from its three sources, augments them, fills batches."""

    def __init__(
        self, corpus: Path, audio: Path, seed: int, real_share: float = 0.12, seconds: float = 45.0,
        voice: Path | None = None, reply_share: float = 0.12,
    ) -> None:  # fmt: skip
        self.corpus, self.seconds, self.real_share = corpus, seconds, real_share
        self.rng = np.random.default_rng(seed)
        self.replies = reply_clips(voice) if voice is not None else []
        self.reply_share = reply_share if self.replies else 0.0
        self.scenery = Scenery.load(audio)
        self.real = real_clips(audio / "train_real") if real_share > 0 else {}
        self.clips: list[Clip] = []
        self._shards: set[str] = set()

    def refresh(self) -> None:
        """Take in shards that were finished since; the corpus may grow while training runs."""
        for name in shard_names(self.corpus):
            if name not in self._shards:
                self._shards.add(name)
                self.clips += read_shard(self.corpus, name)

    def _draw(self) -> Clip:
        if self.real and self.rng.random() < self.real_share:
            names = list(self.real)
            share = np.array([SHARES[n] for n in names])
            clips = self.real[names[int(self.rng.choice(len(names), p=share / share.sum()))]]
        else:
            clips = self.clips
        return clips[int(self.rng.integers(len(clips)))]

    def batches(self, strength: float) -> Iterator[Batch]:
        """One pool of clips, sorted by length, as batches in random order."""
        replies = int(self.rng.binomial(POOL, self.reply_share))
        pool = [self._draw() for _ in range(POOL - replies)]
        pool += [self.replies[int(self.rng.integers(len(self.replies)))] for _ in range(replies)]
        pool.sort(key=lambda clip: len(clip.pcm))
        groups: list[list[Clip]] = [[]]
        for clip in pool:
            longest = (len(clip.pcm) / 16_000 + 0.6) * (len(groups[-1]) + 1)
            if longest > self.seconds and groups[-1]:
                groups.append([])
            groups[-1].append(clip)
        for n in self.rng.permutation(len(groups)):
            yield self._batch(groups[int(n)], strength)

    def _batch(self, clips: list[Clip], strength: float) -> Batch:
        return collate([(self._features(c, strength), c.text) for c in clips])

    def _features(self, clip: Clip, strength: float) -> Floats:
        rng = self.rng
        strength *= REPLY_STRENGTH if clip.voice == REPLY_VOICE else 1.0
        pcm = clip.pcm.astype(np.float32) / 32_768.0
        before, after = rng.integers(0, 6_400), rng.integers(1_600, 8_000)
        pcm = np.pad(pcm, (int(before), int(after)))
        if rng.random() < 0.15:
            # The end of another word, as a wake word that was recognised late leaves it.
            rest = self._draw().pcm[-int(rng.integers(800, 4_800)) :].astype(np.float32) / 32_768.0
            pcm = np.concatenate([rest, pcm])
        babble = [self._draw().pcm.astype(np.float32) / 32_768.0 for _ in range(2)]
        pcm = augment(pcm, rng, self.scenery, babble, strength)
        warp = WARPS[int(rng.integers(len(WARPS)))]
        mel = warped_log_mel(pcm, warp) if rng.random() < 0.8 * strength else log_mel(pcm)
        return spec_augment(mel, rng) if rng.random() < 0.5 * strength else mel


def reply_clips(voice: Path) -> list[Clip]:
    """The corpus of the reply voice (`reply_voice.make_corpus`) as int16 clips in memory."""
    return [Clip(c.pcm, c.text, REPLY_VOICE, None) for c in load_corpus(voice)]


def collate(items: list[tuple[Floats, str]]) -> Batch:
    """Pad features to whole blocks and join the letters."""
    longest = max(len(mel) for mel, _ in items)
    longest += -longest % BLOCK_MELS
    mel = np.full((len(items), longest, 80), np.log(1e-5), np.float32)
    for n, (features, _) in enumerate(items):
        mel[n, : len(features)] = features
    letters = [encode(text) for _, text in items]
    return Batch(
        torch.from_numpy(mel),
        torch.tensor([len(f) // 2 for f, _ in items]),
        torch.tensor([i for row in letters for i in row]),
        torch.tensor([len(row) for row in letters]),
        [text for _, text in items],
    )
