"""Voices: text to 16 kHz speech with espeak-ng, flite and festival, all free to redistribute.

flite and festival voices are made from recorded people and sound like them; espeak-ng is a formant
synthesiser, far from people, and serves for variety of phonemes, accents and prosody only. The
programs are called by name; evaluation and training speak through this one module, so a voice held
out here is held out everywhere.
"""

from __future__ import annotations

import io
import random
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from device.errors import DeviceError

Pcm16 = npt.NDArray[np.int16]

SAMPLE_RATE = 16_000  # Hz
START_S, SENTENCE_S = 60.0, 15.0  # longest waits, on a busy machine: to begin, and for each text
_UNUSABLE = re.compile(r"whisper|croak|robo|klatt6|demon|travis|Half-LifeAnnouncement", re.I)
HELD_OUT_ESPEAK = ("f2", "m3", "Andrea", "max", "steph", "Denis", "linda", "m7")
HELD_OUT_VOICES = ("flite:rms", "festival:cmu_us_slt_arctic_hts")
"""Kept from training entirely; with the espeak variants above they speak the held-out set."""
_PROGRAMS = {"espeak": "espeak-ng", "flite": "flite", "festival": "festival"}
_RATES = (0.92, 1.0, 1.08)  # few, so that neighbours can share one start of festival
_PACKAGES = {"festival": "festival festvox-us-slt-hts festvox-kallpc16k"}


class SynthesisError(DeviceError, RuntimeError):
    """A synthesiser that is not installed, or failed."""


@dataclass(frozen=True)
class Voice:
    """One way of speaking."""

    engine: str
    name: str
    pitch: float = 1.0
    """Relative to the voice's own."""
    rate: float = 1.0
    """Relative speed; > 1 is faster."""

    @property
    def label(self) -> str:
        return f"{self.engine}:{self.name}"


def espeak_variants() -> list[str]:
    """Names of the installed variants that sound like a person."""
    out = _run(["espeak-ng", "--voices=variant"]).decode()
    found = re.findall(r"!v/(\S+)", out)
    return sorted(v for v in set(found) if not _UNUSABLE.search(v))


def held_out_voice(rng: random.Random) -> Voice:
    """A voice nobody trained on: more than half of them made from people."""
    style, rate = rng.random(), rng.choice(_RATES)
    if style < 0.3:
        return Voice("flite", "rms", 1.0, rate)
    if style < 0.6:
        return Voice("festival", "cmu_us_slt_arctic_hts", 1.0, rate)
    name = f"{rng.choice(('en-us', 'en-gb'))}+{rng.choice(HELD_OUT_ESPEAK)}"
    return Voice("espeak", name, rng.uniform(0.9, 1.1), rng.uniform(0.85, 1.1))


def missing_programs(engines: Iterable[str]) -> tuple[str, ...]:
    """The programs among these engines' that are not installed."""
    programs = sorted({_PROGRAMS[engine] for engine in engines})
    return tuple(p for p in programs if shutil.which(p) is None)


def speak(voice: Voice, texts: list[str]) -> list[Pcm16]:
    """Speak each text; int16[n] at 16 kHz, silence at the ends cut to 50 ms.

    Raises:
        SynthesisError: the engine or its voice is missing, or it failed.
    """
    if voice.engine == "festival":
        return [_trim(pcm) for pcm in _festival(voice, texts)]
    speaker = _flite if voice.engine == "flite" else _espeak
    return [_trim(speaker(voice, text)) for text in texts]


def _espeak(voice: Voice, text: str) -> Pcm16:
    pitch = str(round(min(95, max(5, 50 * voice.pitch**2))))
    args = ["espeak-ng", "-v", voice.name, "-p", pitch, "-s", str(round(160 * voice.rate))]
    # --stdout cannot seek back to write its length, so the samples are taken as they are.
    pcm: Pcm16 = np.frombuffer(_run([*args, "--stdout", text])[44:], np.int16)
    return _resample(pcm, 22_050)


_F0_MEAN = {"slt": 175.0, "awb": 125.0, "rms": 100.0, "kal16": 110.0, "kal": 110.0}  # Hz


def _flite(voice: Voice, text: str) -> Pcm16:
    args = ["flite", "-voice", voice.name, "--setf", f"duration_stretch={1 / voice.rate:.3f}"]
    if voice.pitch != 1.0:
        args += ["--setf", f"int_f0_target_mean={_F0_MEAN[voice.name] * voice.pitch:.1f}"]
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        _run([*args, "-t", text, "-o", file.name])
        return _read(Path(file.name).read_bytes())


def _festival(voice: Voice, texts: list[str]) -> list[Pcm16]:
    with tempfile.TemporaryDirectory() as folder:
        stretch = f"{1 / voice.rate:.3f}"
        script = [f"(voice_{voice.name})", f"(Parameter.set 'Duration_Stretch {stretch})"]
        for n, text in enumerate(texts):
            quoted = re.sub(r"[^a-z' ]", "", text.lower())
            said = f'(utt.synth (Utterance Text "{quoted}"))'
            script.append(f'(utt.save.wave {said} "{folder}/{n}.wav")')
        path = Path(folder) / "say.scm"
        path.write_text("\n".join(script))
        _run(["festival", "-b", str(path)], len(texts))
        return [_read(_result(Path(folder) / f"{n}.wav", voice)) for n in range(len(texts))]


def _result(path: Path, voice: Voice) -> bytes:
    if not path.is_file():  # festival ends well even when it does not know the voice
        raise SynthesisError(voice.label, "made no sound", _install("festival"))
    return path.read_bytes()


def _run(args: list[str], sentences: int = 1) -> bytes:
    longest_s = START_S + SENTENCE_S * sentences
    try:
        done = subprocess.run(args, capture_output=True, timeout=longest_s, check=True)
    except FileNotFoundError as error:
        raise SynthesisError(args[0], "is not installed", _install(args[0])) from error
    except subprocess.TimeoutExpired as error:
        raise SynthesisError(args[0], f"took longer than {longest_s:g} s", "try again") from error
    except subprocess.CalledProcessError as error:
        said = (error.stderr or error.stdout or b"").decode(errors="replace").strip()
        problem = f"ended with status {error.returncode}: {said[-200:]}"
        raise SynthesisError(args[0], problem, _install(args[0])) from error
    return done.stdout


def _install(program: str) -> str:
    return f"run: apt-get install {_PACKAGES.get(program, program)}"


def _read(data: bytes) -> Pcm16:
    pcm, rate = soundfile.read(io.BytesIO(data), dtype="int16")
    return _resample(pcm, rate)


def _resample(pcm: Pcm16, rate: int) -> Pcm16:
    return pcm if rate == SAMPLE_RATE else soxr.resample(pcm, rate, SAMPLE_RATE)


def _trim(pcm: Pcm16) -> Pcm16:
    loud = np.flatnonzero(np.abs(pcm.astype(np.int32)) > 200)
    if len(loud) == 0:
        return pcm
    edge = SAMPLE_RATE // 20
    return pcm[max(0, loud[0] - edge) : loud[-1] + edge]
