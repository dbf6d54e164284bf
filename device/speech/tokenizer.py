"""Speech to codes and letters while it is spoken: a bundle's tokenizer, block by block."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from device.engine.contract import Array, Engine
from device.sound.mel import FLOOR, N_MELS, MelStream

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

BLOCK_MELS = 32  # 320 ms
FRAMES = 8  # of 25 Hz a block
CONTEXT = 72  # frames of 25 Hz an attention block looks back: 2.88 s


@dataclass(frozen=True)
class Heard:
    """What one or more blocks gave."""

    codes: Ints
    """int64[4 per block], 12.5 Hz."""
    letters: Floats
    """float32[16 per block, 29] natural log probabilities, 50 Hz."""
    behind: Floats
    """The same, read from the codes: another reading of the same sound, its peaks elsewhere."""


class SpeechTokenizer:
    """The state of one utterance."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._state = engine.new_state(8 * CONTEXT, window=CONTEXT)
        self._frames = 0
        self._mel = MelStream()
        self._waiting: Floats = np.zeros((0, N_MELS), np.float32)

    def hear(self, pcm: Floats) -> list[Heard]:
        """float32[n] at 16 kHz, any n → what became complete, one item a block."""
        self._waiting = np.concatenate([self._waiting, self._mel.step(pcm)])
        found = []
        while len(self._waiting) >= BLOCK_MELS:
            block, self._waiting = self._waiting[:BLOCK_MELS], self._waiting[BLOCK_MELS:]
            found.append(self._step(block))
        return found

    def finish(self) -> list[Heard]:
        """The last, incomplete block, filled up with silence; nothing when there is none."""
        if not len(self._waiting):
            return []
        short = len(self._waiting)
        block = np.full((BLOCK_MELS, N_MELS), np.log(FLOOR), np.float32)
        block[:short] = self._waiting
        self._waiting = self._waiting[:0]
        heard = self._step(block)
        # Only what holds sound: 8 mel frames a code, 2 a frame of letters.
        codes, frames = -(-short // 8), -(-short // 2)
        return [Heard(heard.codes[:codes], heard.letters[:frames], heard.behind[:frames])]

    def _step(self, mel: Floats) -> Heard:
        past = self._state.cache.fed
        positions = np.arange(self._frames, self._frames + FRAMES, dtype=np.int64)
        feeds: dict[str, Array] = {
            "mel": np.ascontiguousarray(mel),
            "position_ids": positions,
            # Whatever is fed may be seen: the cache's window is the attention's.
            "mask": np.zeros((FRAMES, past + FRAMES), np.float32),
        }
        self._frames += FRAMES
        out = self._engine.run(feeds, self._state)
        letters, behind = (out[name].astype(np.float32) for name in ("ctc", "ctc_post"))
        return Heard(out["codes"].astype(np.int64), letters, behind)


def codes_of(engine: Engine, *pieces: Floats) -> list[int]:
    """What is heard in one utterance, float32[n] at 16 kHz in any pieces, as codes of 12.5 Hz."""
    tokenizer = SpeechTokenizer(engine)
    heard = [each for pcm in pieces for each in tokenizer.hear(pcm)] + tokenizer.finish()
    return [int(code) for each in heard for code in each.codes]
