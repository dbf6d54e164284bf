"""The voice Linnet answers in: synthesis of a corpus, its pitch, and the arrays training reads.

Workflow: texts → `flite` or `festival` → WAV (16 kHz, levelled, silence trimmed, whole 80 ms
tokens) in ``DIR/wav`` with ``DIR/texts.jsonl`` beside it → `load_corpus` gives pcm, mel and pitch
arrays, cached in ``DIR/features.npz``. Both voices are the same woman, CMU ARCTIC slt; their
licences let anyone use, change and redistribute without fee.
"""

from __future__ import annotations

import fcntl
import json
import subprocess
import tempfile
import warnings
import wave
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypedDict

import numpy as np
import numpy.typing as npt
import soxr

from device.sound.mel import HOP, N_MELS, SAMPLE_RATE, Floats, log_mel
from services.language.spoken import spoken

VOICES = ("slt-hts", "flite-slt")
TOKEN_FRAMES = 8  # 10 ms frames in one 80 ms speech token
TOKEN_SAMPLES = TOKEN_FRAMES * HOP
SPEECH_RMS = 0.08  # of the frames that hold speech, full scale = 1
LEAD, TAIL = 640, 2_560  # samples of silence kept before and after
LOWEST, HIGHEST = 90.0, 400.0  # Hz, pitch search for this voice
PER_PROCESS = 50  # sentences one synthesiser process says


@dataclass(frozen=True)
class Clip:
    """One sentence of the corpus."""

    stem: str
    text: str
    pcm: npt.NDArray[np.int16]
    """int16[n], n a multiple of TOKEN_SAMPLES."""
    mel: npt.NDArray[np.float16]
    """float16[n // HOP, 80] natural-log mel power."""
    pitch: Floats
    """float32[2, n // HOP]: log f0 (interpolated where unvoiced) and voicing at the end of each
    frame."""


class _Row(TypedDict):
    """A line of ``texts.jsonl``."""

    stem: str
    voice: str
    seconds: float
    text: str


def say(texts: Iterable[str], voice: str) -> Iterator[tuple[str, Floats]]:
    """Speak plain words with one voice: (text, float32[n] at 16 kHz, level and silence as trained).

    Raises ValueError for an unknown voice and CalledProcessError when the synthesiser fails.
    """
    if voice not in VOICES:
        raise ValueError(f"voice {voice!r} is none of {', '.join(VOICES)}")
    speak = _flite if voice == "flite-slt" else _festival
    source = iter(texts)
    while batch := [spoken(t) for t in islice(source, PER_PROCESS)]:
        batch = [t for t in batch if t]
        with tempfile.TemporaryDirectory() as folder:
            for text, path in speak(batch, Path(folder)):
                pcm = tidy(read_wav(path)) if path.exists() else None
                if pcm is not None:
                    yield text, pcm


def _flite(texts: list[str], folder: Path) -> Iterator[tuple[str, Path]]:
    for i, text in enumerate(texts):
        path = folder / f"{i}.wav"
        subprocess.run(["flite", "-voice", "slt", "-t", text, "-o", str(path)], check=True)
        yield text, path


def _festival(texts: list[str], folder: Path) -> Iterator[tuple[str, Path]]:
    lines = ["(voice_cmu_us_slt_arctic_hts)"]
    for i, text in enumerate(texts):
        path = folder / f"{i}.wav"
        lines.append(f'(utt.save.wave (utt.synth (Utterance Text "{text}")) "{path}" \'riff)')
    script = folder / "say.scm"
    script.write_text("\n".join(lines))
    subprocess.run(["festival", "-b", str(script)], check=True, capture_output=True)
    return ((text, folder / f"{i}.wav") for i, text in enumerate(texts))


def read_wav(path: Path) -> Floats:
    """16-bit mono WAV → float32[n] at 16 kHz."""
    with wave.open(str(path)) as source:
        rate = source.getframerate()
        pcm = np.frombuffer(source.readframes(source.getnframes()), "<i2") / 32768.0
    if rate != SAMPLE_RATE:
        pcm = soxr.resample(pcm, rate, SAMPLE_RATE)
    out: Floats = pcm.astype(np.float32)
    return out


def write_wav(path: Path, pcm: Floats) -> None:
    """float32[n] in [-1, 1] → 16-bit mono WAV at 16 kHz."""
    with wave.open(str(path), "wb") as sink:
        sink.setnchannels(1)
        sink.setsampwidth(2)
        sink.setframerate(SAMPLE_RATE)
        sink.writeframes((np.clip(pcm, -1, 1) * 32767).astype("<i2").tobytes())


def tidy(pcm: Floats) -> Floats | None:
    """Trim silence, set the level, pad to whole tokens; None when nothing was said."""
    blocks = pcm[: len(pcm) // HOP * HOP].reshape(-1, HOP)
    rms = np.sqrt((blocks**2).mean(axis=1)) if len(blocks) else np.zeros(1)
    loud = np.flatnonzero(rms > max(rms.max() * 0.02, 1e-4))
    if len(loud) < TOKEN_FRAMES:
        return None
    pcm = pcm[max(0, loud[0] * HOP - LEAD) : (loud[-1] + 1) * HOP + TAIL]
    pcm = pcm * (SPEECH_RMS / np.sqrt((rms[loud] ** 2).mean()))
    pcm = pcm / max(1.0, float(np.abs(pcm).max()) / 0.98)
    return np.pad(pcm, (0, -len(pcm) % TOKEN_SAMPLES)).astype(np.float32)


def pitch_of(pcm: Floats) -> Floats:
    """float32[n] → float32[2, n // HOP]: log f0 and voicing at the end of each 10 ms frame."""
    with warnings.catch_warnings():  # it announces that pkg_resources will go
        warnings.simplefilter("ignore")
        import pyworld

    wide = pcm.astype(np.float64)
    period = 1000 * HOP / SAMPLE_RATE
    raw, times = pyworld.dio(wide, SAMPLE_RATE, LOWEST, HIGHEST, frame_period=period)
    f0 = pyworld.stonemask(wide, raw, times, SAMPLE_RATE)[1:]  # first estimate is at sample 0
    count = len(pcm) // HOP
    f0 = np.pad(f0[:count], (0, count - len(f0[:count])))
    voiced = f0 > 0
    at = np.flatnonzero(voiced)
    log_f0 = np.interp(np.arange(count), at, np.log(f0[at])) if len(at) else np.full(count, 5.2)
    return np.stack([log_f0, voiced]).astype(np.float32)


def make_corpus(texts: Iterable[str], voice: str, folder: Path, hours: float) -> int:
    """Synthesise until the texts or the hours run out; goes on where an earlier call stopped.

    ``texts`` may be endless. Returns the number of sentences in ``folder``; RuntimeError when
    another process is writing there.
    """
    (folder / "wav").mkdir(parents=True, exist_ok=True)
    with (folder / "texts.jsonl").open("a") as lines:
        try:
            fcntl.flock(lines, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise RuntimeError(f"{folder}: another process is adding to this corpus") from error
        done = _rows(folder / "texts.jsonl")
        known = {row["text"] for row in done}
        seconds = sum(row["seconds"] for row in done)
        fresh = say(_unheard(texts, known), voice) if seconds < hours * 3600 else iter(())
        for count, (text, pcm) in enumerate(fresh, len(done)):
            stem = f"{count:06d}"
            write_wav(folder / "wav" / f"{stem}.wav", pcm)
            row = _Row(stem=stem, voice=voice, seconds=len(pcm) / SAMPLE_RATE, text=text)
            print(json.dumps(row), file=lines, flush=True)
            seconds += row["seconds"]
            if seconds >= hours * 3600:
                return count + 1
        return len(_rows(folder / "texts.jsonl"))


def _unheard(texts: Iterable[str], known: set[str]) -> Iterator[str]:
    """Texts not in ``known``, each once, as plain words; ``texts`` may be endless."""
    for text in map(spoken, texts):
        if text and text not in known:
            known.add(text)
            yield text


def load_corpus(folder: Path) -> list[Clip]:
    """Every clip with its features; the first call computes them (about 50 times real time)."""
    rows, cache = _rows(folder / "texts.jsonl"), folder / "features.npz"
    if not cache.exists() or len(np.load(cache)["lengths"]) != len(rows):
        _compute(folder, [row["stem"] for row in rows], cache)
    data = np.load(cache)
    ends = np.cumsum(data["lengths"])
    pcm, mel, pitch = data["pcm"], data["mel"], data["pitch"]
    return [
        Clip(r["stem"], r["text"], pcm[a * HOP : b * HOP], mel[a:b], pitch[:, a:b])
        for r, a, b in zip(rows, ends - data["lengths"], ends, strict=True)
    ]


def _compute(folder: Path, stems: list[str], cache: Path) -> None:
    waves = [read_wav(folder / "wav" / f"{stem}.wav") for stem in stems]
    np.savez(
        cache,
        lengths=np.array([len(w) // HOP for w in waves]),
        pcm=(np.concatenate(waves) * 32768).astype(np.int16),
        mel=np.concatenate([log_mel(w) for w in waves]).astype(np.float16).reshape(-1, N_MELS),
        pitch=np.concatenate([pitch_of(w) for w in waves], axis=1),
    )


def _rows(index: Path) -> list[_Row]:
    return [json.loads(line) for line in index.read_text().splitlines()] if index.exists() else []
