"""What ``linnet ota`` may ask the updater, and what it tells of itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from ota.generations import Generations
from ota.machine import MOST_ROLLED_BACK, Ledger
from ota.release import ReleaseName
from services.ota_agent.agent import Agent, Wish
from services.ota_agent.fleet_status import release_of
from services.voice.trial.words import Proof


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Status(_Frozen):
    do: Literal["status"] = "status"


class Check(_Frozen):
    """Ask the source now."""

    do: Literal["check"] = "check"


class Install(_Frozen):
    """Take a release up now; empty: the one that is rolled out."""

    do: Literal["install"] = "install"
    release: ReleaseName | Literal[""] = ""
    stick: Annotated[str, Field(pattern=r"^(/[^\x00-\x1f\x7f]{1,500})?$")] = ""
    """Directory or archive to take it from; empty: the usual repository."""


class Defer(_Frozen):
    """Do not install for so many seconds."""

    do: Literal["defer"] = "defer"
    seconds: Annotated[float, Field(ge=0, le=30 * 86_400, allow_inf_nan=False)]
    why: Annotated[str, Field(max_length=200)] = ""


class Rollback(_Frozen):
    """Give up what goes on; else back to the release before."""

    do: Literal["rollback"] = "rollback"


Question = Annotated[Status | Check | Install | Defer | Rollback, Field(discriminator="do")]
_QUESTION: TypeAdapter[Question] = TypeAdapter(Question)


class AgentDesk:
    """``answer`` is the socket's."""

    def __init__(
        self,
        agent: Agent,
        generations: Generations,
        read: Callable[[], Ledger],
        consent: Callable[[], str | None] = lambda: None,
    ) -> None:
        """
        Args:
            read: the journal's ledger.
            consent: target of what the source does not begin without the owner's word.
        """
        self._agent, self._generations, self._read = agent, generations, read
        self._consent = consent

    def answer(self, question: dict[str, Any]) -> dict[str, Any]:
        """Answer one question; ``ValueError`` where it is none or cannot be done now."""
        try:
            asked = _QUESTION.validate_python(question)
        except ValidationError:
            raise ValueError("not a question this updater knows") from None
        match asked:
            case Check():
                self._agent.wish(Wish("check"))
            case Install():
                self._agent.wish(Wish("install", asked.release, asked.stick))
            case Rollback():
                self._agent.wish(Wish("rollback"))
            case Defer():
                self._agent.defer(asked.seconds, asked.why)
            case Status():
                pass
        return self.status()

    def status(self) -> dict[str, Any]:
        agent = self._agent
        done, total = agent.progress
        return described(self._read(), self._generations) | {
            "running": True,
            "bytes": {"here": done, "all": total},
            "waits": agent.waits or None,
            "deferred_until": agent.deferred_until(),
            "gate": of_gate(agent.proof) if agent.proof else None,
            "fault": agent.undone or agent.unanswered or None,
            "wants_consent": release_of(self._consent() or ""),
            "asked": agent.polled.isoformat(timespec="seconds") if agent.polled else None,
        }


def of_gate(proof: Proof) -> dict[str, Any]:
    """How the last release did in the gate; the reason of a bad one is the update's."""
    judged = {None: "not judged", True: "recognised", False: "not recognised"}
    figures = proof.model_dump(
        include={"seconds", "p95_ms", "p95_before_ms", "memory_mb"}, exclude_none=True
    )
    return {"passed": proof.reason is None, "reply": judged[proof.recognised], **figures}


def described(ledger: Ledger, generations: Generations) -> dict[str, Any]:
    """What the files alone tell; the updater need not run."""
    update, current, previous = ledger.update, generations.current(), generations.previous()
    return {
        "running": False,
        "stage": update.stage.value if update else "idle",
        "phase": update.stage.phase.value if update else "idle",
        "wanted": (update.release or release_of(update.target)) if update else None,
        "action": update.action if update else None,
        "reason": update.reason.name if update and update.reason else None,
        "code": int(update.reason) if update and update.reason else None,
        "detail": (update.detail or None) if update else None,
        "tries_left": update.tries_left if update and not update.ended else None,
        "release": release_of(ledger.running),
        "generation": current.name if current else None,
        "previous": previous.name if previous else None,
        "rolled_back_in_a_row": ledger.rolled_back,
        "stopped": ledger.rolled_back >= MOST_ROLLED_BACK,
        "rejected": [
            {"release": release_of(one.target), "reason": one.reason.name}
            for one in ledger.rejected
        ],
        "unsent_reports": len(ledger.unsent),
    }
