"""GLM-4-Voice's tokenizer while somebody speaks: blocks of 4 s through a cache, exactly.

Attention sees its own block of 4 s and all before it, so a block can be encoded when it is over,
and only the last, unfinished one is left when the speech ends. Speech longer than 30 s goes on as
a new piece that knows nothing of the last, as in training.

One thing is not causal: a piece is scaled by its loudest bin. Blocks are scaled by the loudest so
far; when a louder one comes and changes a value of an earlier block (it had bins 80 dB below), the
piece is encoded again and its codes are replaced. A fixed ``peak`` never does so.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from device.engine.contract import Array, Engine
from device.sound.whisper_mel import N_MELS, PIECE, TOKEN, WhisperMelStream, scaled, tokens_of

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

BLOCK_MELS = 400  # 4 s
POSITIONS = 1_500  # of 20 ms in a piece
TOKEN_MELS = 8
MASKED = -1e4  # additive; finite, as the engine contract asks


@dataclass(frozen=True)
class Heard:
    """Codes, 12.5 a second; ``first`` is the place of the first of them in the utterance.

    Codes given before at that place and behind it are replaced.
    """

    first: int
    codes: Ints


class GlmTokenizer:
    """The state of one utterance.

    Args:
        engine: graph ``mel[M,128]``, ``position_ids[T]``, ``mask[T,P+T]`` → ``codes[C]``.
        peak: log10 of the loudest bin to scale by, known or guessed; None finds it.
    """

    def __init__(self, engine: Engine, peak: float | None = None) -> None:
        self._engine, self._peak = engine, peak
        self._state = engine.new_state(POSITIONS)
        self._first = 0  # code of the piece's beginning
        self._begin()

    def _begin(self) -> None:
        self._mel = WhisperMelStream()
        self._frames: Floats = np.zeros((0, N_MELS), np.float32)  # log10 of the whole piece
        self._used = -np.inf  # the peak that the piece is scaled by
        self._state.reset()

    def hear(self, pcm: Floats) -> list[Heard]:
        """float32[n] at 16 kHz, any n → what became known; mostly nothing, else 50 codes."""
        found = []
        while len(pcm):
            fits, pcm = np.split(pcm, [PIECE - self._mel.samples])
            self._frames = np.concatenate([self._frames, self._mel.step(fits)])
            whole = len(self._frames) // BLOCK_MELS * BLOCK_MELS
            found += self._encode(whole)
            if self._mel.samples == PIECE and len(pcm):
                found += self.finish()
        return found

    @property
    def settled(self) -> int:
        """Codes of whole blocks: nothing but a louder sound replaces them."""
        return self._first + 2 * self._state.cache.length // TOKEN_MELS

    def peek(self) -> list[Heard]:
        """What ``finish`` would give now; more may be heard afterwards.

        Codes behind ``settled`` will be given again.
        """
        mel, frames = self._mel, self._frames
        self._mel = copy.copy(mel)  # its arrays are replaced, never changed
        self._frames = np.concatenate([frames, self._mel.finish()])
        found = self._encode(len(self._frames))
        self._mel, self._frames = mel, frames
        self._state.cache.truncate(len(frames) // BLOCK_MELS * BLOCK_MELS // 2)
        return found

    def finish(self) -> list[Heard]:
        """What is left: the last block, or none when nothing was said since."""
        if not self._mel.samples:
            return []
        self._frames = np.concatenate([self._frames, self._mel.finish()])
        found = self._encode(len(self._frames))
        self._first += tokens_of(self._mel.samples)
        self._begin()
        return found

    def _encode(self, until: int) -> list[Heard]:
        """Bring the codes up to this frame of the piece."""
        done = 2 * self._state.cache.length
        if until == done:
            return []
        peak = self._mel.peak if self._peak is None else self._peak
        if done and self._changed(done, peak):
            self._state.reset()
            done = 0
        self._used = peak
        starts = range(done, until, BLOCK_MELS)
        codes = [self._block(start, min(start + BLOCK_MELS, until)) for start in starts]
        return [Heard(self._first + done // TOKEN_MELS, np.concatenate(codes))]

    def _changed(self, done: int, peak: float) -> bool:
        before = self._frames[:done]
        return peak != self._used and not np.array_equal(
            scaled(before, peak), scaled(before, self._used)
        )

    def _block(self, start: int, end: int) -> Ints:
        past, new = start // 2, (end - start) // 2
        mask = np.zeros((new, past + new), np.float32)
        # What fills the last token holds no sound and is not seen.
        sound = -(-self._mel.samples // (TOKEN // 4))
        mask[:, sound:] = MASKED
        feeds: dict[str, Array] = {
            "mel": scaled(self._frames[start:end], self._used),
            "position_ids": np.arange(past, past + new, dtype=np.int64),
            "mask": mask,
        }
        return self._engine.run(feeds, self._state)["codes"].astype(np.int64, copy=False)


def codes_of(engine: Engine, *pieces: Floats) -> list[int]:
    """What is heard in one utterance, float32[n] at 16 kHz in any pieces, as codes of 12.5 Hz."""
    tokenizer, codes = GlmTokenizer(engine), list[int]()
    for found in (*map(tokenizer.hear, pieces), tokenizer.finish()):
        for heard in found:
            codes[heard.first :] = heard.codes.tolist()
    return codes
