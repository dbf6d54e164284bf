"""The documents of hawkBit's device interface (DDI): what is read of them and what is sent.

``read`` reads them. Ids go into paths, so they are digits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field

from ota.phases import Phase
from ota.release import Facts
from ota.rollout.json_api import Document
from ota.rollout.json_api import read as read
from ota.rollout.source import Install, Report

TARGET_KEY = "tuf-target"
"""Module metadata, visible to targets: the TUF path of the release."""
MAX_DETAIL = 500

Href = Annotated[str, Field(min_length=1, max_length=2048)]
ActionId = Annotated[str, Field(pattern=r"^[0-9]{1,19}$", coerce_numbers_to_str=True)]
Handling = Literal["skip", "attempt", "forced"]


class _Link(Document):
    href: Href


class Links(Document):
    """What the server wants of us."""

    deployment: _Link | None = Field(default=None, alias="deploymentBase")
    cancel: _Link | None = Field(default=None, alias="cancelAction")
    confirmation: _Link | None = Field(default=None, alias="confirmationBase")
    config_data: _Link | None = Field(default=None, alias="configData")


class _Polling(Document):
    sleep: str = Field(default="", max_length=32)


class _Config(Document):
    polling: _Polling = _Polling()


class Base(Document):
    """``GET /{tenant}/controller/v1/{id}``."""

    config: _Config = _Config()
    links: Links = Field(default=Links(), alias="_links")

    @property
    def sleep_s(self) -> float | None:
        """Seconds until the next poll; None where the server does not say."""
        found = re.fullmatch(r"(\d{1,3}):([0-5]\d):([0-5]\d)", self.config.polling.sleep)
        return None if found is None else _seconds(*map(int, found.groups()))


class _Metadata(Document):
    key: str = Field(max_length=256)
    value: str = Field(max_length=8192)


class _Chunk(Document):
    part: str = Field(default="", max_length=256)
    metadata: tuple[_Metadata, ...] = Field(default=(), max_length=256)


class _Deployment(Document):
    download: Handling = "attempt"
    update: Handling = "attempt"
    chunks: tuple[_Chunk, ...] = Field(default=(), max_length=64)


class Deployment(Document):
    """``GET …/deploymentBase/{id}``."""

    id: ActionId
    deployment: _Deployment

    @property
    def target(self) -> str | None:
        """TUF target path of the assigned release; None where the module does not name one."""
        return _target(self.deployment.chunks)

    @property
    def install(self) -> Install:
        """``skip``: outside of the maintenance window, or only to be downloaded."""
        installs: dict[Handling, Install] = {"skip": "not yet", "attempt": "quiet", "forced": "now"}
        return installs[self.deployment.update]


class Confirmation(Document):
    """``GET …/confirmationBase/{id}``."""

    id: ActionId
    confirmation: _Deployment

    @property
    def target(self) -> str | None:
        """As ``Deployment.target``."""
        return _target(self.confirmation.chunks)


class _Stop(Document):
    stop: ActionId = Field(alias="stopId")


class Cancel(Document):
    """``GET …/cancelAction/{id}``."""

    id: ActionId
    action: _Stop = Field(alias="cancelAction")


_EXECUTION: dict[Phase, str] = {
    Phase.ASSIGNED: "scheduled",
    Phase.DOWNLOADING: "download",
    Phase.VERIFIED: "downloaded",
    Phase.STAGED: "proceeding",
    Phase.WAIT_QUIET: "proceeding",
    Phase.TRIAL: "proceeding",
    Phase.COMMITTED: "closed",
    Phase.ROLLED_BACK: "closed",
    Phase.FAILED: "closed",
}


def feedback(report: Report, timestamp_ms: int) -> dict[str, Any] | None:
    """Body of ``POST …/deploymentBase/{id}/feedback``; None for a phase that is nobody's business.

    A release counts as installed once it is committed, never when it is merely switched to.
    """
    execution = _EXECUTION.get(report.phase)
    if execution is None:
        return None
    if report.resumed and not report.phase.ended:
        execution = "resumed"
    result: dict[str, Any] = {"finished": _finished(report.phase)}
    if report.total > 0:
        done = max(0, min(100, 100 * report.done // report.total))
        result["progress"] = {"cnt": done, "of": 100}
    status: dict[str, Any] = {
        "execution": execution,
        "result": result,
        "details": list(_details(report)),
    }
    if report.reason is not None:
        status["code"] = int(report.reason)
    return {"timestamp": timestamp_ms, "status": status}


def closing(answer: Literal["closed", "rejected"], why: str) -> dict[str, Any]:
    """Body of ``POST …/cancelAction/{id}/feedback``: taken back, or it goes on."""
    finished = "success" if answer == "closed" else "none"
    return {"status": {"execution": answer, "result": {"finished": finished}, "details": [why]}}


def consent(given: bool) -> dict[str, Any]:
    """Body of ``POST …/confirmationBase/{id}/feedback``."""
    word = "confirmed" if given else "denied"
    return {"confirmation": word, "code": 200, "details": [f"{word} by the owner"]}


def attributes(facts: Facts) -> dict[str, Any]:
    """Body of ``PUT …/configData``: what roll-outs select devices by."""
    said = {
        "class": facts.device_class,
        "board": facts.board,
        "sm": facts.sm,
        "l4t": facts.l4t,
        "memory_mb": facts.memory_mb,
        "app": facts.app,
    }
    return {"mode": "merge", "data": {k: str(v) for k, v in said.items() if v is not None}}


def _details(report: Report) -> Iterator[str]:
    yield report.phase.value
    if report.reason is not None:
        yield report.reason.name.lower()
    if report.detail:
        yield report.detail[:MAX_DETAIL]


def _finished(phase: Phase) -> str:
    if not phase.ended:
        return "none"
    return "success" if phase is Phase.COMMITTED else "failure"


def _target(chunks: tuple[_Chunk, ...]) -> str | None:
    named = (one.value for chunk in chunks for one in chunk.metadata if one.key == TARGET_KEY)
    return next(named, None)


def _seconds(hours: int, minutes: int, seconds: int) -> float:
    return float(hours * 3600 + minutes * 60 + seconds)
