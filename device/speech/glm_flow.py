"""GLM-4-Voice's flow on engines: speech tokens to mel frames, a window at a time.

The encoder takes whole blocks of ten tokens through a cache; what is left over is encoded for now
and again when its block is full. The solver sees the last 64 tokens alone (441 frames: one shape
for an accelerator) and is told of the frames that are final. Noise hangs on a frame's number, so a
frame that is made again starts from where it started.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from device.engine.contract import Array, Engine
from device.speech.glm_frames import BLOCK, GUIDANCE, STEPS, TOKENS, Window, nearest, times
from device.speech.indexed_noise import indexed_noise

Floats = npt.NDArray[np.float32]

MELS = 80
VOICE = 192  # a speaker's embedding; the one voice of GLM-4-Voice is zero
LONGEST = 1_024  # tokens of a reply that the encoder's table of positions has: 82 s


@dataclass(frozen=True)
class FlowEngines:
    """The three graphs; see ``model_export.families.glm_4_voice.decoder_graphs``."""

    encoder: Engine
    regulator: Engine
    estimator: Engine


class GlmFlow:
    """One reply.

    Args:
        engines: the graphs.
        seed: of the noise.
        widest: tokens that are solved at once, a multiple of 64; ``LONGEST`` for all there are.
        steps: of the solver.
    """

    def __init__(
        self, engines: FlowEngines, seed: int, widest: int = TOKENS, steps: int = STEPS
    ) -> None:
        self._engines, self._seed, self._widest = engines, seed, widest
        self._times = times(steps)
        self._state = engines.encoder.new_state(LONGEST)
        self._loose: list[int] = []  # tokens behind the last whole block
        self._encoded: Floats = np.zeros((0, MELS), np.float32)  # whole blocks, then the loose
        self._voice = np.zeros((1, VOICE), np.float32)

    @property
    def tokens(self) -> int:
        """Tokens so far."""
        return len(self._encoded)

    def step(self, tokens: Sequence[int], prompt: Floats) -> Floats:
        """More tokens → the frames behind the prompt, float32[80, n].

        Args:
            tokens: codes, 0 … 16383.
            prompt: [80, P], all frames that are final.

        Raises:
            StateError: the reply is longer than ``LONGEST`` tokens.
        """
        self._encode(tokens)
        window = Window.of(self.tokens, prompt.shape[1], self._widest)
        mu, spk = self._regulate(window)
        known = prompt[:, window.first_frame :]
        return self._solve(window, mu, spk, known)[:, window.known :]

    def _encode(self, tokens: Sequence[int]) -> None:
        whole = self._state.cache.length
        waiting = self._loose + list(tokens)
        rows = [self._encoded[:whole]]
        for start in range(0, len(waiting), BLOCK):
            rows.append(self._block(waiting[start : start + BLOCK]))
        self._loose = waiting[len(waiting) // BLOCK * BLOCK :]
        # The loose ones do not know the rest of their block: they will be encoded again.
        self._state.cache.truncate(whole + len(waiting) - len(self._loose))
        self._encoded = np.concatenate(rows)

    def _block(self, tokens: Sequence[int]) -> Floats:
        past, new = self._state.cache.length, len(tokens)
        feeds: dict[str, Array] = {
            "tokens": np.asarray(tokens, np.int64),
            "position_ids": np.arange(past, past + new, dtype=np.int64),
            "mask": np.zeros((new, past + new), np.float32),
        }
        h: Floats = self._engines.encoder.run(feeds, self._state)["h"].astype(np.float32)
        return h

    def _regulate(self, window: Window) -> tuple[Floats, Floats]:
        """mu [1, 80, F] and the speaker [1, 80]."""
        feeds: dict[str, Array] = {
            "h": self._encoded[window.first_token :],
            "nearest": nearest(window.tokens),
            "voice": self._voice,
        }
        out = self._engines.regulator.run(feeds)
        return out["mu"].astype(np.float32), out["spk"].astype(np.float32)

    def _solve(self, window: Window, mu: Floats, spk: Floats, known: Floats) -> Floats:
        """Euler's method from noise to mel [80, F], guided by an unconditioned run beside it."""
        shape = (2, MELS, window.frames)
        both_mu, cond = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        both_mu[0] = mu[0]  # row 1 stays zero: nothing is given there
        cond[0, :, : known.shape[1]] = known
        both_spk = np.concatenate([spk, np.zeros_like(spk)])
        feeds: dict[str, Array] = {"mu": both_mu, "cond": cond, "spk": both_spk}
        noise = indexed_noise(self._seed, window.first_frame, window.frames, MELS)
        x = np.ascontiguousarray(noise.T)
        for now, then in pairwise(self._times):
            feeds["x"] = np.stack([x, x])
            feeds["t"] = np.full(2, now, np.float32)
            given, free = self._engines.estimator.run(feeds)["v"].astype(np.float32)
            x = x + np.float32(then - now) * ((1.0 + GUIDANCE) * given - GUIDANCE * free)
        return x.astype(np.float32, copy=False)
