"""Batches for the vocoder (crops) and for the token decoder (whole clips)."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from device.sound.mel import FLOOR, HOP, N_MELS, Floats
from model_export.families.linnet_mini.speech_decoder import SpeechDecoder
from model_export.families.linnet_mini.vocoder import PITCH
from model_export.training.reply_voice import TOKEN_FRAMES, Clip, load_corpus

CROP = 96  # frames of one vocoder example, 0.96 s
SILENCE = math.log(FLOOR)
HELD_OUT = 60  # clips at the end of each corpus that training never sees

Batch = tuple[Tensor, ...]
Codes = npt.NDArray[np.int64]
Tokens = Mapping[str, Codes]


def split(folders: list[Path]) -> tuple[list[Clip], list[Clip]]:
    """(training, held out) clips of the corpora."""
    train: list[Clip] = []
    held: list[Clip] = []
    for folder in folders:
        clips = load_corpus(folder)
        keep = min(HELD_OUT, max(1, len(clips) // 10))
        train += clips[:-keep]
        held += clips[-keep:]
    return train, held


def crop(clip: Clip, start: int) -> tuple[Floats, Floats, Floats]:
    """CROP frames from ``start``, silence after the end: mel [80, T], pitch [2, T], pcm [T*HOP]."""
    mel, pitch = clip.mel[start : start + CROP], clip.pitch[:, start : start + CROP]
    pcm = clip.pcm[start * HOP : (start + CROP) * HOP].astype(np.float32) / 32768.0
    short = CROP - len(mel)
    wide = np.pad(mel.astype(np.float32), ((0, short), (0, 0)), constant_values=SILENCE)
    quiet = np.stack([np.full(short, pitch[0, -1]), np.zeros(short)]).astype(np.float32)
    return wide.T, np.concatenate([pitch, quiet], axis=1), np.pad(pcm, (0, short * HOP))


def vocoder_batches(clips: list[Clip], size: int, seed: int, device: str) -> Iterator[Batch]:
    """Endless (mel [B, 80, CROP], pitch [B, 2, CROP], pcm [B, CROP * HOP])."""
    rng = random.Random(seed)
    weights = [len(c.mel) for c in clips]
    while True:
        chosen = rng.choices(clips, weights, k=size)
        parts = [crop(c, rng.randrange(max(1, len(c.mel) - CROP + 1))) for c in chosen]
        columns = (torch.from_numpy(np.stack(column)) for column in zip(*parts, strict=True))
        yield tuple(column.to(device) for column in columns)


def align(clip: Clip, code: Codes, codes: int) -> tuple[Codes, Floats, Floats]:
    """Tokens [n], mel [80, 8n] and pitch [2, 8n] of the part all three cover.

    Raises ValueError for a token outside 0..codes - 1 or arrays that differ by over 4 tokens.
    """
    if not 0 <= int(code.min(initial=0)) <= int(code.max(initial=0)) < codes:
        raise ValueError(f"{clip.stem}: a token is outside 0..{codes - 1}")
    if abs(len(code) - len(clip.mel) // TOKEN_FRAMES) > 4:
        raise ValueError(f"{clip.stem}: {len(code)} tokens for {len(clip.mel)} frames")
    count = min(len(code), len(clip.mel) // TOKEN_FRAMES)
    frames = count * TOKEN_FRAMES
    mel = clip.mel[:frames].T.astype(np.float32)
    return code[:count].astype(np.int64), mel, clip.pitch[:, :frames]


def t2m_batches(
    clips: list[Clip], tokens: Tokens, codes: int, size: int, noise: float, seed: int, device: str
) -> Iterator[Batch]:
    """Endless (tokens [B, n], mel [B, 80, 8n], pitch [B, 2, 8n], weight [B, 8n]) of whole clips.

    ``noise`` is the share of tokens replaced at random: the language model will err too.
    """
    rng = np.random.default_rng(seed)
    ready = [align(c, tokens[c.stem], codes) for c in clips if c.stem in tokens]
    while True:
        group = [ready[i] for i in rng.integers(len(ready), size=size)]
        width = max(len(code) for code, _, _ in group)
        frames = width * TOKEN_FRAMES
        ids = np.full((size, width), codes)
        mel = np.full((size, N_MELS, frames), SILENCE, np.float32)
        pitch = np.zeros((size, PITCH, frames), np.float32)
        weight = np.zeros((size, frames), np.float32)
        for row, (code, m, p) in enumerate(group):
            wrong = rng.random(len(code)) < noise
            ids[row, : len(code)] = np.where(wrong, rng.integers(codes, size=len(code)), code)
            mel[row, :, : m.shape[1]], pitch[row, :, : p.shape[1]] = m, p
            weight[row, : m.shape[1]] = 1.0
        yield tuple(torch.from_numpy(a).to(device) for a in (ids, mel, pitch, weight))


@torch.no_grad()
def with_made_mels(clips: list[Clip], tokens: Tokens, model: SpeechDecoder) -> list[Clip]:
    """The same clips as the token decoder hears them: its mel and pitch, the original waveform."""
    out = []
    for clip in (c for c in clips if c.stem in tokens):
        code, _, _ = align(clip, tokens[clip.stem], model.config.codes)
        mel, pitch = model(torch.from_numpy(code)[None])
        frames = mel.shape[2]
        out.append(
            replace(
                clip,
                pcm=clip.pcm[: frames * HOP],
                mel=mel[0].T.numpy().astype(np.float16),
                pitch=pitch[0].numpy(),
            )
        )
    return out
