"""How well the voice is understood: word error rate by pocketsphinx, original against copy."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch

from device.sound.mel import SAMPLE_RATE, Floats
from model_export.families.linnet_mini.vocoder import Vocoder
from model_export.training.reply_voice import Clip, write_wav
from model_export.training.spectral_losses import mel_loss, stft_loss

EDGE = SAMPLE_RATE // 5  # samples of silence the recogniser gets on both sides


def word_errors(said: list[str], heard: list[str]) -> int:
    """Edits from one list of words to the other."""
    row = list(range(len(heard) + 1))
    for i, word in enumerate(said, 1):
        diagonal, row[0] = row[0], i
        for j, other in enumerate(heard, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (word != other))
    return row[-1]


class Listener:
    """pocketsphinx with its own US-English models and language model."""

    def __init__(self) -> None:
        from pocketsphinx import Decoder

        self._decoder = Decoder(samprate=SAMPLE_RATE, loglevel="FATAL")

    def words(self, pcm: Floats) -> list[str]:
        """float32[n] at 16 kHz → the words heard."""
        padded = np.pad(np.clip(pcm, -1, 1) * 32767, EDGE).astype("<i2")
        self._decoder.start_utt()
        self._decoder.process_raw(padded.tobytes(), full_utt=True)
        self._decoder.end_utt()
        hypothesis = self._decoder.hyp()
        return str(hypothesis.hypstr).split() if hypothesis else []

    def error_rate(self, pairs: Iterable[tuple[str, Floats]]) -> float:
        """Word error rate over (text, pcm)."""
        errors = count = 0
        for text, pcm in pairs:
            errors += word_errors(text.split(), self.words(pcm))
            count += len(text.split())
        return errors / max(count, 1)


@torch.no_grad()
def copy(vocoder: Vocoder, clip: Clip) -> Floats:
    """The clip's own mel and pitch through the vocoder, float32[n]."""
    mel = torch.from_numpy(clip.mel.astype(np.float32)).T[None]
    out: Floats = vocoder(mel, torch.from_numpy(clip.pitch)[None])[0].numpy()
    return out


def report(
    vocoder: Vocoder, clips: list[Clip], made: list[Clip] | None, keep: Path | None
) -> dict[str, float]:
    """Figures over ``clips``; ``made`` are clips whose frames come from tokens."""
    listener = Listener()
    real = [(c.text, c.pcm.astype(np.float32) / 32768.0) for c in clips]
    copies = [(c.text, copy(vocoder, c)) for c in clips]
    pairs = [
        (torch.from_numpy(a)[None], torch.from_numpy(b)[None])
        for (_, a), (_, b) in zip(copies, real, strict=True)
    ]
    figures = {
        "clips": float(len(clips)),
        "words": float(sum(len(text.split()) for text, _ in real)),
        "stft": float(np.mean([float(stft_loss(a, b)) for a, b in pairs])),
        "mel": float(np.mean([float(mel_loss(a, b)) for a, b in pairs])),
        "wer_original": listener.error_rate(real),
        "wer_copy": listener.error_rate(copies),
    }
    kept = [("copy", copies)]
    if made is not None:
        chosen = {c.stem for c in clips}
        said = [(c.text, copy(vocoder, c)) for c in made if c.stem in chosen]
        figures["wer_tokens"] = listener.error_rate(said)
        kept.append(("tokens", said))
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        for kind, waves in kept:
            for i, (_, pcm) in enumerate(waves):
                write_wav(keep / f"{i:03d}_{kind}.wav", pcm)
    return figures
