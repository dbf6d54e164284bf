"""The one interface to whoever decides what a device should run, outside of the chain of trust.

A source may choose among releases that TUF vouches for, sooner, later or never. It cannot make a
device install anything else (Uptane's director without keys).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from ota.errors import Reason
from ota.phases import Phase

Install = Literal["now", "quiet", "not yet"]


@dataclass(frozen=True)
class Assignment:
    """What a source wants this device to run."""

    action: str
    """The source's own name of it, for reports; the same action is the same assignment."""
    target: str
    """TUF target path of the release."""
    install: Install = "quiet"
    """``now``: do not wait for quiet hours (never during an utterance); ``not yet``: only fetch."""
    forced: bool = False
    """A human said so, for this device: waves and a rejection here do not hold it back."""
    stick: str = ""
    """Directory or archive of a repository that the owner has brought; empty: the usual one."""


@dataclass(frozen=True)
class Report:
    """What a device tells its source of an assignment."""

    action: str
    phase: Phase
    reason: Reason | None = None
    """Set where the phase ended badly."""
    detail: str = ""
    """One line for the operator, at most 500 characters; never anything that was said."""
    done: int = 0
    """Bytes fetched so far, of ``total``."""
    total: int = 0
    resumed: bool = False
    """Whether a power cut lies between this and the report before."""


class RolloutSource(Protocol):
    """hawkBit, signed waves, or another. Network faults raise ``TransferError``."""

    def poll(self) -> Assignment | None:
        """What this device should run now; None: nothing to do."""

    def report(self, report: Report) -> None:
        """Tell of it. Called again until it returns, so a report may arrive twice."""
