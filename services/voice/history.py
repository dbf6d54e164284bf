"""What was said on both sides, cut to what was really heard. Kept in memory only, never logged.

A reply's text runs ahead of its sound. When the user interrupts, only the words whose sound had
begun to play may stay in the history, else the model believes it said what nobody heard.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise


@dataclass
class SpokenReply:
    """A reply as it is made: pieces of text, each tied to where its sound begins."""

    pieces: list[tuple[str, int]] = field(default_factory=list)
    """(text, samples of sound made before it)."""
    samples: int = 0

    def add_text(self, text: str) -> None:
        self.pieces.append((text, self.samples))

    def add_audio(self, samples: int) -> None:
        if samples < 0:
            raise ValueError(f"a piece of sound cannot have {samples} samples")
        self.samples += samples

    @property
    def text(self) -> str:
        return "".join(text for text, _ in self.pieces)

    def heard(self, samples_played: int) -> str:
        """The text whose sound had begun after ``samples_played``; words are never cut.

        Text that starts together shares the sound up to the next piece in proportion to its
        length, which is how an interleaved reply spreads its words.
        """
        if samples_played >= self.samples:
            return self.text
        starts = [*sorted({start for _, start in self.pieces}), self.samples]
        kept = ""
        for start, end in pairwise(starts):
            block = "".join(text for text, at in self.pieces if at == start)
            kept += _begun(block, samples_played - start, end - start)
        return kept.rstrip()


def _begun(block: str, played: int, total: int) -> str:
    """The words of a block whose share of its sound has begun."""
    if played <= 0 or total <= 0:
        return ""
    if played >= total:
        return block
    limit = len(block) * played / total
    words = block.split(" ")
    at = 0
    kept: list[str] = []
    for word in words:
        if at >= limit:
            break
        kept.append(word)
        at += len(word) + 1
    return " ".join(kept)


@dataclass(frozen=True)
class Exchange:
    """One turn as both sides remember it; personal data."""

    user: str
    reply: str
    interrupted: bool = False


class History:
    """The last exchanges, oldest first."""

    def __init__(self, limit: int = 8) -> None:
        self._exchanges: deque[Exchange] = deque(maxlen=limit)

    def add(self, user: str, reply: SpokenReply, samples_heard: int) -> Exchange:
        """Remember a finished or interrupted turn, with what was heard of its reply."""
        heard = reply.heard(samples_heard)
        exchange = Exchange(user, heard, interrupted=heard != reply.text.rstrip())
        self._exchanges.append(exchange)
        return exchange

    def clear(self) -> None:
        self._exchanges.clear()

    def __len__(self) -> int:
        return len(self._exchanges)

    def __iter__(self) -> Iterator[Exchange]:
        return iter(tuple(self._exchanges))
