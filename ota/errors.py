"""What can go wrong with an update, as one small tree, and the codes a fleet counts it by."""

from __future__ import annotations

from enum import IntEnum


class Reason(IntEnum):
    """Why an update ended badly. The hundreds say where: the operator's first question.

    1xx transfer, 2xx trust and verification, 3xx storing and building, 4xx health gate,
    5xx crashes and loops. A code keeps its meaning for ever; new ones are added.
    """

    UNREACHABLE = 101
    """Nothing answered, after every retry and mirror."""
    REFUSED = 102
    """The server answered that there is no such file, or that we may not have it."""
    BYTE_BUDGET = 103
    """The files would cost more bytes than the action may spend."""
    TOO_SLOW = 104
    """Less arrived in the time allowed than the least rate."""
    UNTRUSTED = 201
    """The metadata does not vouch for the release: signatures, expiry, rollback, mix-and-match."""
    WRONG_CONTENT = 202
    """A file is not what the signed release says."""
    BAD_RELEASE = 203
    """The release file is not one, or says something it may not say."""
    MISFIT = 204
    """Not made for this device: class, board, GPU, memory or software."""
    TOO_OLD = 205
    """Its counter is below the floor, and no signed downgrade allows it."""
    CLOCK = 206
    """This device's clock cannot be right, so expiry cannot be judged."""
    REJECTED_BEFORE = 207
    """This device rolled the same release back once."""
    NO_ROOM = 301
    """The disk is too full."""
    DISK = 302
    """The disk refused to read, write or sync."""
    ENGINE_BUILD = 303
    """An engine of the release could not be built here."""
    GATE_LOAD = 401
    """An engine did not load."""
    GATE_WAKE = 402
    """The wake word in the self-test was not heard."""
    GATE_CALL = 403
    """The self-test gave another call than the release states."""
    GATE_REPLY = 404
    """The reply was silent or not recognised."""
    GATE_LATENCY = 405
    """Slower than the release before by more than allowed."""
    GATE_MEMORY = 406
    """More memory than the budget."""
    GATE_CONTROL = 407
    """Neither update server nor broker was reachable from the new release."""
    GATE_TIME = 408
    """The gate did not finish in its time."""
    SOAK = 409
    """Real turns failed during the soak."""
    CRASH = 501
    """The voice daemon died or hung during the trial, as often as it had attempts."""
    LOOP = 502
    """The state was stored more often than any honest update needs."""
    CANCELLED = 503
    """The control plane or the owner took the update back."""
    NEVER_QUIET = 504
    """No quiet moment came in all the time that an update may wait."""
    STOPPED = 505
    """Too many roll-backs in a row: updates wait for a person."""


class OtaError(Exception):
    """Base of everything an update can complain about: a reason to count and a line to read."""

    def __init__(self, reason: Reason, problem: str) -> None:
        super().__init__(problem)
        self.reason = reason


class TransferError(OtaError):
    """Bytes that could not be fetched (1xx)."""


class TrustError(OtaError):
    """Metadata or content that must not be believed (2xx)."""


class StoreError(OtaError):
    """The disk's side (3xx)."""
