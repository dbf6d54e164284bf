"""The judge of speech, in a process of its own: it must not hold up the one that hears.

pocketsphinx keeps the interpreter's lock while it listens; twelve seconds of noise took it eight.
``python -m services.voice.trial.judge`` reads 16-bit samples at 16 kHz and writes words.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from importlib.util import find_spec

import numpy as np

from device.sound.frames import Pcm, to_pcm16
from services.evaluate.figures import edit_distance

log = logging.getLogger(__name__)

PATIENCE_S = 60.0
MAX_WORDS_BYTES = 64 * 1024


def installed() -> bool:
    """Whether there is a recogniser to ask."""
    return find_spec("pocketsphinx") is not None


def word_errors(reply: Pcm, text: str, python: str = sys.executable) -> tuple[int, int] | None:
    """Word errors in recognising a text in float32[n], and how many words it has.

    None where the recogniser itself fails: that says nothing about the reply.
    """
    words = text.split()
    try:
        done = subprocess.run(
            [python, "-m", "services.voice.trial.judge"],
            input=to_pcm16(reply),
            capture_output=True,
            timeout=PATIENCE_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        log.warning("the recogniser failed", extra={"reason": type(error).__name__})
        return None
    heard = done.stdout[:MAX_WORDS_BYTES].decode("utf-8", "replace").split()
    return edit_distance(words, heard), len(words)


def main() -> None:
    from services.evaluate.recogniser import Recogniser

    os.nice(10)
    samples = (np.frombuffer(sys.stdin.buffer.read(), "<i2") / 32768).astype(np.float32)
    sys.stdout.write(Recogniser().hear(samples))


if __name__ == "__main__":
    main()
