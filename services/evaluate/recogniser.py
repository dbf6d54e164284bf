"""The judge of replies: pocketsphinx with its own English dictionary and language model.

It had no part in making the replies and knows nothing of the home. It mishears some words of any
voice; what counts is how many more it mishears than of the source voice saying the same.
"""

from __future__ import annotations

import numpy as np

from device.sound.frames import SAMPLE_RATE, Pcm, to_pcm16

PAD_S = 0.3  # silence it wants around an utterance


class Recogniser:
    """Raises ModuleNotFoundError where pocketsphinx is not installed."""

    def __init__(self) -> None:
        from pocketsphinx import Decoder

        self._decoder = Decoder(samprate=SAMPLE_RATE, loglevel="FATAL")

    def hear(self, pcm: Pcm) -> str:
        """The words in float32[n] at 16 kHz; empty where there are none."""
        silence = np.zeros(int(PAD_S * SAMPLE_RATE), np.float32)
        self._decoder.start_utt()
        padded = np.concatenate([silence, pcm, silence])
        self._decoder.process_raw(to_pcm16(padded), full_utt=True)
        self._decoder.end_utt()
        best = self._decoder.hyp()
        return _words(best.hypstr) if best is not None else ""


def _words(hypothesis: str) -> str:
    """Without its marks: ``the(2)`` is a pronunciation, ``<sil>`` no word."""
    words = (word.partition("(")[0] for word in hypothesis.split())
    return " ".join(word for word in words if word and not word.startswith(("<", "[", "+")))
