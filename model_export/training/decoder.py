"""Train the voice: `python -m model_export.training.decoder {corpus,vocoder,t2m,report} --help`.

Workflow: ``corpus`` speaks texts with the fixed voice; ``vocoder`` learns mel and pitch → waveform from it;
``t2m`` learns tokens → mel and pitch from a .npz of token arrays, one per WAV, keyed by its stem;
``vocoder --t2m`` then goes on with the mels ``t2m`` really makes; ``report`` measures. Every
training goes on from its last checkpoint when started again with the same ``--out``. The learning rate follows
the time spent (CPU time, or wall time on CUDA), so ``--minutes`` is the whole budget.
"""

from __future__ import annotations

import argparse
import json
import math
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from model_export.families.linnet_mini.speech_decoder import SpeechDecoder, SpeechDecoderConfig
from model_export.families.linnet_mini.vocoder import Vocoder
from model_export.training.checkpoints import Trainer
from model_export.training.reply_voice import TOKEN_FRAMES, VOICES, Clip, load_corpus, make_corpus
from model_export.training.spectral_losses import mel_loss, stft_loss

HOP = 160
CROP = 96  # frames of one vocoder example, 0.96 s
WARM = 8  # its first frames are not judged: the stream has only begun
SILENCE = math.log(1e-5)
HELD_OUT = 60  # clips at the end of each corpus that training never sees

Batch = tuple[Tensor, ...]


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


def crop(clip: Clip, start: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """CROP frames from ``start``, silence after the end: mel [80, T], pitch [2, T], pcm [T * HOP]."""
    mel, pitch = clip.mel[start : start + CROP], clip.pitch[:, start : start + CROP]
    pcm = clip.pcm[start * HOP : (start + CROP) * HOP].astype(np.float32) / 32768.0
    short = CROP - len(mel)
    mel = np.pad(mel.astype(np.float32), ((0, short), (0, 0)), constant_values=SILENCE)
    quiet = np.stack([np.full(short, pitch[0, -1]), np.zeros(short)])
    return mel.T, np.concatenate([pitch, quiet], axis=1), np.pad(pcm, (0, short * HOP))


def vocoder_batches(clips: list[Clip], size: int, seed: int, device: str) -> Iterator[Batch]:
    """Endless (mel [B, 80, CROP], pitch [B, 2, CROP], pcm [B, CROP * HOP])."""
    rng = random.Random(seed)
    weights = [len(c.mel) for c in clips]
    while True:
        chosen = rng.choices(clips, weights, k=size)
        parts = [crop(c, rng.randrange(max(1, len(c.mel) - CROP + 1))) for c in chosen]
        yield tuple(
            torch.tensor(np.stack(column), dtype=torch.float32, device=device)
            for column in zip(*parts, strict=True)
        )


def vocoder_loss(model: nn.Module, batch: Batch) -> dict[str, Tensor]:
    """Multi-resolution STFT and mel distance of the copy from the original."""
    mel, pitch, pcm = batch
    made, real = model(mel, pitch)[:, WARM * HOP :], pcm[:, WARM * HOP :]
    return {"stft": stft_loss(made, real), "mel": mel_loss(made, real)}


def t2m_batches(
    clips: list[Clip], tokens: dict[str, np.ndarray], args: argparse.Namespace, codes: int
) -> Iterator[Batch]:
    """Endless (tokens [B, n], mel [B, 80, 8n], pitch [B, 2, 8n], weight [B, 8n]) of whole clips."""
    rng = np.random.default_rng(args.seed)
    ready = [c for c in clips if c.stem in tokens]
    while True:
        group = [ready[i] for i in rng.integers(len(ready), size=args.batch)]
        arrays = [align(c, tokens[c.stem], codes) for c in group]
        width = max(len(a[0]) for a in arrays)
        ids = np.full((len(group), width), codes)
        mel = np.full((len(group), 80, width * TOKEN_FRAMES), SILENCE, np.float32)
        pitch = np.zeros((len(group), 2, width * TOKEN_FRAMES), np.float32)
        weight = np.zeros((len(group), width * TOKEN_FRAMES), np.float32)
        for row, (code, m, p) in enumerate(arrays):
            wrong = rng.random(len(code)) < args.token_noise
            ids[row, : len(code)] = np.where(wrong, rng.integers(codes, size=len(code)), code)
            mel[row, :, : m.shape[1]], pitch[row, :, : p.shape[1]] = m, p
            weight[row, : m.shape[1]] = 1.0
        yield tuple(torch.from_numpy(a).to(args.device) for a in (ids, mel, pitch, weight))


def align(clip: Clip, code: np.ndarray, codes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cut tokens and frames to the same length. Raises ValueError for a code out of range."""
    if len(code) and not 0 <= code.min() <= code.max() < codes:
        raise ValueError(f"{clip.stem}: a token is outside 0..{codes - 1}")
    count = min(len(code), len(clip.mel) // TOKEN_FRAMES)
    frames = count * TOKEN_FRAMES
    return code[:count], clip.mel[:frames].T.astype(np.float32), clip.pitch[:, :frames]


def t2m_loss(model: nn.Module, batch: Batch) -> dict[str, Tensor]:
    """L1 of mel and of its change in time (against blur), of voiced log f0, and voicing."""
    tokens, mel, pitch, weight = batch
    made, tone = model(tokens)
    total = weight.sum()
    error = ((made - mel).abs().mean(dim=1) * weight).sum() / total
    steps = [x[:, :, 1:] - x[:, :, :-1] for x in (made, mel)]
    change = ((steps[0] - steps[1]).abs().mean(dim=1) * weight[:, 1:]).sum() / total
    voiced = pitch[:, 1] * weight
    f0 = ((tone[:, 0] - pitch[:, 0]).abs() * voiced).sum() / voiced.sum().clamp(min=1.0)
    said = F.binary_cross_entropy(tone[:, 1].clamp(1e-5, 1 - 1e-5), pitch[:, 1], weight=weight)
    said = said * weight.numel() / total
    return {"mel": error, "delta": change, "f0": 5.0 * f0, "voicing": 0.5 * said}


def train_vocoder(args: argparse.Namespace) -> None:
    """The ``vocoder`` command."""
    train, held = split(args.corpus)
    if args.t2m:
        train, held = (with_made_mels(c, args) for c in (train, held))
    trainer = Trainer(Vocoder().to(args.device), vocoder_loss, args)
    check = next(vocoder_batches(held, 24, 1, args.device))
    trainer.run(vocoder_batches(train, args.batch, args.seed + trainer.steps, args.device), check)


def train_t2m(args: argparse.Namespace) -> None:
    """The ``t2m`` command."""
    config = SpeechDecoderConfig(codes=args.codes)
    tokens = dict(np.load(args.tokens))
    train, held = split(args.corpus)
    if not (missing := [c for c in held if c.stem in tokens]):
        raise SystemExit(f"{args.tokens}: no token array is named like a WAV of the corpus")
    trainer = Trainer(SpeechDecoder(config).to(args.device), t2m_loss, args)
    quiet = argparse.Namespace(**{**vars(args), "token_noise": 0.0, "seed": 1, "batch": 24})
    check = next(t2m_batches(missing, tokens, quiet, config.codes))
    args.seed += trainer.steps
    trainer.run(t2m_batches(train, tokens, args, config.codes), check)
