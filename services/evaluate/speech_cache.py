"""Synthesised speech on disk: made once, found again by what was said and by whom.

Files lie in ``$XDG_CACHE_HOME/linnet/speech`` (``~/.cache`` unless set), one FLAC an utterance,
named by a hash of voice and text. They can be deleted at any time.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path

import soundfile

from device.sound.synthesis import SAMPLE_RATE, Pcm16, Voice, speak

FORMAT = 1  # raise it when the same voice and text would give other samples
PER_START = 20  # sentences one synthesiser process says

Said = tuple[Voice, str]


def cache_root() -> Path:
    """Where this machine keeps what can be made again."""
    named = os.environ.get("XDG_CACHE_HOME", "")
    # The standard says that a relative path is to be ignored.
    base = Path(named) if os.path.isabs(named) else Path.home() / ".cache"
    return base / "linnet"


@dataclass(frozen=True)
class SpeechCache:
    """One folder of utterances."""

    folder: Path

    @classmethod
    def default(cls) -> SpeechCache:
        return cls(cache_root() / "speech")

    def path(self, voice: Voice, text: str) -> Path:
        """Where the utterance is, or will be."""
        key = f"{FORMAT}|{voice.label}|{voice.pitch:.4f}|{voice.rate:.4f}|{text}"
        return self.folder / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.flac"

    def fill(
        self, wanted: Sequence[Said], tell: Callable[[int, int], None] = lambda done, of: None
    ) -> int:
        """Make what is missing; returns how many were made.

        Args:
            tell: called with (made so far, to be made).

        Raises:
            SynthesisError: a voice is not installed or failed.
        """
        missing = [said for said in dict.fromkeys(wanted) if not self.path(*said).is_file()]
        missing.sort(key=_by_voice)
        done = 0
        for _, group in groupby(missing, key=_by_voice):
            sentences = iter(group)
            while batch := list(islice(sentences, PER_START)):
                voice = batch[0][0]
                texts = [text for _, text in batch]
                self._keep(voice, zip(texts, speak(voice, texts), strict=True))
                done += len(batch)
                tell(done, len(missing))
        return done

    def _keep(self, voice: Voice, made: Iterable[tuple[str, Pcm16]]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        for text, pcm in made:
            target = self.path(voice, text)
            # Another process may be filling the same cache.
            draft = target.with_suffix(f".{os.getpid()}.part")
            soundfile.write(draft, pcm, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
            draft.replace(target)


def _by_voice(said: Said) -> tuple[str, float, float]:
    voice = said[0]
    return (voice.label, voice.pitch, voice.rate)
