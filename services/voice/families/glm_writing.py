"""How GLM-4-Voice writes a reply: 13 text ids and 26 codes in turns, until any end.

The order is learnt; it is only helped along. In a run of text the model may go over to codes early,
which means that the text is over; in a run of codes it may write no text. It may end in either.

An id is given away before the model reads it: its sound need not wait for a pass over all weights
that only the next id needs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from device.speech.glm_frames import REPLY
from device.speech.language_model import Floats
from services.language.glm_vocabulary import GlmVocabulary
from services.language.sampling import Draws
from services.language.schedule import InterleaveSchedule, Slot
from services.voice.families.glm_conversation import Conversation

LONGEST_TEXT = 400  # ids

Bools = npt.NDArray[np.bool_]


class Writing:
    """One reply as it is written; what was yielded is read by the model before the next one is.

    Args:
        conversation: with the reply opened.
        schedule: of text and codes.
        sampler: chooses.
        logits: what the model answered to the opening.
        stopped: whether to write no more.
    """

    def __init__(
        self,
        conversation: Conversation,
        schedule: InterleaveSchedule,
        sampler: Draws,
        logits: Floats,
        stopped: Callable[[], bool],
    ) -> None:
        self._conversation, self._schedule, self._sampler = conversation, schedule, sampler
        self._logits, self._stopped = logits, stopped
        v, width = conversation.vocabulary, conversation.width
        self._allowed = {
            "text": v.sayable(width, text=True, audio=True, end=True),
            "audio": v.sayable(width, text=False, audio=True, end=True),
            "on": v.sayable(width, text=False, audio=True, end=False),
        }
        self._texts = 0
        self._begun = conversation.lm.length
        self._codes: list[int] = []  # ids in the conversation with each code of the reply
        self._unread: list[int] = []

    @property
    def _v(self) -> GlmVocabulary:
        return self._conversation.vocabulary

    def free(self) -> Iterator[int]:
        """The model's own words and their sound, as ids."""
        cursor = self._schedule.cursor()
        while (token := self._next(cursor.next)) is not None:
            audio = self._v.is_audio(token)
            if audio and cursor.next == "text":
                cursor.end_text()
            cursor.advance()
            yield self._said(token)

    def told(self, text: str) -> Iterator[int]:
        """These words and the model's sound for them, as ids."""
        ids, run = self._v.encode(text), self._schedule.text
        for start in range(0, len(ids), run):
            piece = ids[start : start + run]
            last = start + run >= len(ids)
            if self._stopped() or not self._room(len(piece) + self._schedule.audio):
                self._read()
                return
            self._read(piece)
            yield from piece
            for _ in range(REPLY if last else self._schedule.audio):
                token = self._next("audio", may_end=last)
                if token is None:
                    return
                yield self._said(token)

    def until(self, codes: int) -> int:
        """Ids in the conversation with so many codes of the reply; text behind them is unheard."""
        if codes >= len(self._codes):
            return self._conversation.lm.length
        return self._codes[codes - 1] if codes else self._begun

    def _next(self, slot: Slot, *, may_end: bool = True) -> int | None:
        """The next id; None where the reply ends, for whatever reason."""
        if self._stopped():
            return None
        self._read()
        if not self._room(1) or len(self._codes) >= REPLY:
            return None
        if slot == "text" and self._texts >= LONGEST_TEXT:
            return None
        token = self._sampler.draw(self._logits, self._allowed[slot if may_end else "on"])
        return None if token in self._v.ends() else token

    def _said(self, token: int) -> int:
        self._unread.append(token)
        if self._v.is_audio(token):
            self._codes.append(self._conversation.lm.length + len(self._unread))
        else:
            self._texts += 1
        return token

    def _read(self, more: Sequence[int] = ()) -> None:
        """What was said and not yet read, and more."""
        ids, self._unread = [*self._unread, *more], []
        if ids:
            self._logits = self._conversation.read(ids)

    def _room(self, ids: int) -> bool:
        return self._conversation.lm.room(len(self._unread) + ids)
