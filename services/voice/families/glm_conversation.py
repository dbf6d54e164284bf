"""What GLM-4-Voice remembers: one cache of ids over many turns, in memory only.

Ids are kept and never text: text that is cut again into ids may become others. A turn is kept when
it is committed, up to what was heard; a turn that was not is forgotten when the next one begins.
"""

from __future__ import annotations

from collections.abc import Sequence

from device.engine.contract import Engine
from device.speech.language_model import Floats, LanguageModel
from services.language import glm_prompt as prompt
from services.language.glm_vocabulary import GlmVocabulary

TURN_ROOM = 1_200
"""Ids that a turn may need: 30 s heard, 30 s said and a call; else all before it is forgotten."""


class Conversation:
    """The language model and all that was said to it.

    Args:
        engine: the language model.
        max_len: positions it has.
        vocabulary: its ids.
    """

    def __init__(self, engine: Engine, max_len: int, vocabulary: GlmVocabulary) -> None:
        self.lm = LanguageModel(engine, max_len)
        self.vocabulary = vocabulary
        self.width = 0
        """Of the logits; known when something was read."""
        self._kept = 0  # ids of committed turns
        self._turn: object = None

    def begin(self, turn: object) -> None:
        """Start a turn: all that can be read before anybody speaks is read."""
        self._turn = turn
        self.lm.cut(self._kept)
        if not self.lm.room(min(TURN_ROOM, self.lm.max_len // 2)):
            self.lm.cut(0)
        if not self.lm.length:
            self.read(prompt.opening(self.vocabulary))
            self._kept = self.lm.length
        self.read(prompt.user_open(self.vocabulary))

    def read(self, ids: Sequence[int]) -> Floats:
        """Append ids; the logits of what may come next."""
        logits = self.lm.read(ids)
        self.width = len(logits)
        return logits

    def keep(self, turn: object, length: int) -> None:
        """The turn is over and its ids up to here stay; nothing happens when another has begun."""
        if turn is self._turn:
            self.lm.cut(min(length, self.lm.length))
            self._kept, self._turn = self.lm.length, None

    def forget(self) -> None:
        """Let go of everything that was said."""
        self.lm.cut(0)
        self._kept, self._turn = 0, None
