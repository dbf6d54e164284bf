"""A typed line that no template fits, read by the language model of a bundle.

It chooses among the calls that the line's words allow in this home (``proposals``) and the opening
of a reply, which calls nothing. Each line is a conversation of its own in a cache of its own: a
spoken turn on the same engine is not disturbed, but must not run at the same time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic

from device.speech.language_model import LanguageModel
from services.language import prompt
from services.language.call_search import likeliest
from services.language.calls import Call
from services.language.homeview import HomeView
from services.language.proposals import proposals
from services.language.vocabulary import Vocabulary

BUDGET_S = 0.5
"""Longer than this no line is thought about; it is refused then."""
MARGIN = 1.0
"""Nats within which two readings are too close for the likelier to be taken."""
MAX_CHARS = 160
"""A longer line that no template fits is no command."""


@dataclass(frozen=True)
class Guess:
    """What a line may mean; no reading: it calls nothing."""

    readings: tuple[Call, ...] = ()
    """The likeliest, and those about as likely."""
    score: float = float("-inf")
    """Natural log probability of an id of the likeliest, on average: 0 is certain."""


class LineGuess:
    """Guesses for one model; use it from one thread."""

    def __init__(
        self,
        conversation: Callable[[], LanguageModel],
        vocabulary: Vocabulary,
        accept: float,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """
        Args:
            conversation: an empty cache of the model.
            accept: the least score that is believed; found with ``linnet eval``.
            clock: seconds, steady.
        """
        self._conversation, self._vocabulary = conversation, vocabulary
        self.accept, self._clock = accept, clock

    def guess(self, text: str, view: HomeView, others: Sequence[Call] = ()) -> Guess:
        """Readings that are believed; none in doubt, and none when the time is over.

        Args:
            others: calls of tools beyond the home that the line's words allow; they are weighed
                among the home's.
        """
        guess = self.ranked(text, view, others)
        return guess if guess.score >= self.accept else Guess(score=guess.score)

    def ranked(self, text: str, view: HomeView, others: Sequence[Call] = ()) -> Guess:
        """As ``guess``, however low the score."""
        end = self._clock() + BUDGET_S
        calls = (*proposals(text, view), *others) if len(text) <= MAX_CHARS else ()
        if not calls:
            return Guess()
        v, lm = self._vocabulary, self._conversation()
        turn = prompt.user_text(v, text)
        silence = prompt.reply_open(v)
        options = [silence, *(prompt.call(v, c) + prompt.call_close(v) for c in calls)]
        if not lm.room(len(turn) + max(map(len, options))):
            return Guess()
        found = likeliest(
            lm, lm.read(turn), options, margin=MARGIN, spent=lambda: self._clock() > end
        )
        if not found or found[0].option == 0:
            return Guess()
        readings = tuple(calls[w.option - 1] for w in found if w.option)
        return Guess(readings, found[0].mean)
