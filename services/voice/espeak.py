"""The espeak-ng voice: a small formant synthesiser every distribution packages."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

SAMPLE_RATE = 16_000
_LONGEST_S = 10.0  # espeak-ng is a hundred times faster than speech; longer means it hangs
_LONGEST_TEXT = 2000  # characters


class VoiceMissing(RuntimeError):
    """espeak-ng is not installed."""


class VoiceFailed(RuntimeError):
    """espeak-ng gave no sound."""


class EspeakVoice:
    """One voice of espeak-ng, run once for each reply.

    Variant and pace are the clearest of twenty to a recogniser that knows nothing of the home: it
    finds two thirds of the words of replies, of the plain ``en-us`` voice's one in four.
    """

    def __init__(
        self, voice: str = "en-us+f2", words_per_minute: int = 140, program: str = "espeak-ng"
    ) -> None:
        """
        Raises:
            VoiceMissing: the program is not on the path.
        """
        found = shutil.which(program)
        if found is None:
            raise VoiceMissing(f"{program} is not installed: apt install espeak-ng")
        self._command = [found, "-v", voice, "-s", str(words_per_minute), "--stdin", "-w"]

    def say(self, text: str) -> npt.NDArray[np.float32]:
        """The text as float32[n] at 16 kHz; an empty text is no sound.

        Raises:
            VoiceFailed: espeak-ng stopped, hung, or wrote what is no sound.
        """
        if not text.strip():
            return np.zeros(0, np.float32)
        with tempfile.TemporaryDirectory(prefix="linnet-voice-") as folder:
            path = Path(folder) / "reply.wav"
            try:
                subprocess.run(
                    [*self._command, str(path)],
                    input=text[:_LONGEST_TEXT].encode(),
                    check=True,
                    capture_output=True,
                    timeout=_LONGEST_S,
                )
                pcm, rate = soundfile.read(path, dtype="float32")
            except (subprocess.SubprocessError, OSError, soundfile.SoundFileError) as error:
                # The error may quote the text, which is nobody's business but the listener's.
                raise VoiceFailed(f"espeak-ng gave no sound ({type(error).__name__})") from None
        return np.asarray(soxr.resample(pcm, rate, SAMPLE_RATE), np.float32)
