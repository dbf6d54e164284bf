"""hawkBit as a source of assignments, over its device interface (DDI).

hawkBit is outside of the chain of trust: it names a release (``tuf-target`` in the metadata of a
software module) and TUF says whether there is such a release. No payload comes from it, so its
token never reaches the servers that hold the content.

One call of ``poll`` follows what the server's base resource links to: it tells facts when asked,
answers a cancellation, asks the owner for consent, or reads the deployment.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import quote

from ota.errors import Reason
from ota.phases import Phase
from ota.release import Facts, class_of
from ota.rollout import ddi
from ota.rollout.json_api import JsonApi, expect, safe_address
from ota.rollout.source import Assignment, Report
from ota.rollout.web import HttpWeb, Web

log = logging.getLogger(__name__)

DEFAULT_SLEEP_S = 300.0
SLEEP_BOUNDS_S = (30.0, 86400.0)
JITTER = 0.1
PROGRESS_STEP = 10
"""Per cent between two reports of progress: the server keeps 1 000 per action, no more."""
TokenKind = Literal["TargetToken", "GatewayToken"]
_GONE = (404, 410)


@dataclass(frozen=True)
class Server:
    """Where hawkBit is and who we are to it.

    Raises:
        ValueError: not an address that a token may be sent to.
    """

    url: str
    """``https://host[:port][/path]``; plain http only to this machine itself."""
    device_id: str
    tenant: str = "DEFAULT"
    token: str | None = field(default=None, repr=False)
    """None: a client certificate says who we are."""
    token_kind: TokenKind = "TargetToken"  # noqa: S105

    def __post_init__(self) -> None:
        safe_address(self.url)

    @property
    def base(self) -> str:
        """The device's base resource."""
        tenant, device = quote(self.tenant, safe=""), quote(self.device_id, safe="")
        return f"{safe_address(self.url)}/{tenant}/controller/v1/{device}"

    @property
    def authorization(self) -> str | None:
        """Value of the header."""
        return None if self.token is None else f"{self.token_kind} {self.token}"


class HawkbitDdi:
    """A ``RolloutSource``. ``wait_s`` says when to poll again."""

    def __init__(
        self,
        server: Server,
        facts: Facts,
        web: Web | None = None,
        *,
        standing: Callable[[str], Phase | None] = lambda action: None,
        consent: Callable[[str], bool | None] = lambda target: None,
        forced_passes_waves: bool = False,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """
        Args:
            standing: the phase in which this device's journal has an action; None: not known.
            consent: whether the owner allows a release (by its target); None: not answered yet.
            forced_passes_waves: let a forced action through closed waves. Off by default: then a
                stolen hawkBit cannot hasten a roll-out that has waves.
        """
        self._server, self._facts = server, facts
        self._api = JsonApi(server.url, server.authorization, web or HttpWeb())
        self._standing, self._consent, self._chance = standing, consent, chance
        self._forced_passes_waves = forced_passes_waves
        self._etag: str | None = None
        self._base = ddi.Base()
        self._denied: set[str] = set()
        self.asked: str | None = None
        """Target of what waits for the owner's consent."""
        self._progress: tuple[str, int] | None = None

    @property
    def wait_s(self) -> float:
        """Seconds until the next poll: the server's wish in bounds, ±10 %, or its Retry-After."""
        wish = self._base.sleep_s or DEFAULT_SLEEP_S
        low, high = SLEEP_BOUNDS_S
        spread = 1 + JITTER * (2 * self._chance() - 1)
        return max(min(max(wish, low), high) * spread, self._api.retry_after_s or 0.0)

    def poll(self) -> Assignment | None:
        """What this device should run now; None: nothing, or it was taken back.

        Raises:
            TransferError: the server cannot be asked, or answers nothing usable.
        """
        links = self._fetch_base().links
        if links.confirmation is None:
            self.asked = None
        if links.config_data is not None:
            self._tell_facts(links.config_data.href)
        if links.cancel is not None:
            return self._cancelled(links.cancel.href)
        if links.confirmation is not None:
            return self._ask_owner(links.confirmation.href)
        if links.deployment is not None:
            return self._deployed(links.deployment.href)
        return None

    def report(self, report: Report) -> None:
        """Tell of an assignment. An action that the server has closed needs no more telling.

        Nor does one of another source: a device may have been moved here in the middle of it.

        Raises:
            TransferError: it was not taken; tell it again.
        """
        body = ddi.feedback(report, round(time.time() * 1000))
        ours = report.action.isascii() and report.action.isdecimal()
        if body is None or not ours or not self._worth_telling(report):
            return
        answer = self._api.send("POST", self._url("deploymentBase", report.action), body)
        if answer.status in _GONE:
            log.info("the server has closed this action", extra={"action": report.action})
        elif answer.status == 400:
            # Sent again it would be refused again, and hold back every report behind it.
            log.error("the server does not understand a report", extra={"action": report.action})
        else:
            expect(answer)
        self._progress = _step(report) or self._progress

    # --- what the base resource links to ----------------------------------------------------

    def _fetch_base(self) -> ddi.Base:
        known = {"If-None-Match": self._etag} if self._etag else {}
        answer = self._api.ask("GET", self._server.base, headers=known)
        if answer.status != 304:
            expect(answer, 200)
            self._base = ddi.read(ddi.Base, answer.body)
            self._etag = answer.headers.get("etag")
        return self._base

    def _tell_facts(self, href: str) -> None:
        expect(self._api.send("PUT", href, ddi.attributes(self._facts)))
        self._etag = None  # the link goes away; ask for the base afresh

    def _cancelled(self, href: str) -> Assignment | None:
        answer = self._api.ask("GET", href)
        if answer.status in _GONE:
            return None
        found = ddi.read(ddi.Cancel, expect(answer, 200).body)
        phase = self._standing(found.action.stop)
        late = phase if phase is Phase.TRIAL or (phase and phase.ended) else None
        body = (
            ddi.closing("rejected", f"too late: {late.value}")
            if late
            else ddi.closing("closed", "taken back")
        )
        self._etag = None
        answer = self._api.send("POST", self._url("cancelAction", found.id), body)
        if answer.status not in _GONE:
            expect(answer)
        # Served again by the server, if we refused to stop.
        return self._served_again() if late else None

    def _served_again(self) -> Assignment | None:
        """The deployment after an answer of ours; whatever else is asked then waits its turn."""
        links = self._fetch_base().links
        return self._deployed(links.deployment.href) if links.deployment is not None else None

    def _ask_owner(self, href: str) -> Assignment | None:
        answer = self._api.ask("GET", href)
        if answer.status in _GONE:
            return None
        found = ddi.read(ddi.Confirmation, expect(answer, 200).body)
        given = self._consent(found.target) if found.target else None
        if given is None and found.target != self.asked:
            log.warning("an action waits for the owner's consent", extra={"target": found.target})
        self.asked = found.target if given is None else None
        if given is None or (not given and found.id in self._denied):
            return None  # denied once, the server goes on asking
        if not given:
            self._denied = {found.id}
        self._etag = None
        answer = self._api.send("POST", self._url("confirmationBase", found.id), ddi.consent(given))
        if answer.status not in _GONE:
            expect(answer)
        return self._served_again() if given else None

    def _deployed(self, href: str) -> Assignment | None:
        answer = self._api.ask("GET", href)
        if answer.status in _GONE:
            self._etag = None
            return None
        found = ddi.read(ddi.Deployment, expect(answer, 200).body)
        target = found.target
        if target is None or class_of(target) != self._facts.device_class:
            self._refuse(found.id, target)
            return None
        forced = self._forced_passes_waves and found.install == "now"
        return Assignment(found.id, target, found.install, forced)

    def _refuse(self, action: str, target: str | None) -> None:
        why = f"no {ddi.TARGET_KEY} in the module" if target is None else "not of this class"
        reason = Reason.BAD_RELEASE if target is None else Reason.MISFIT
        self.report(Report(action, Phase.FAILED, reason, why))
        self._etag = None

    def _worth_telling(self, report: Report) -> bool:
        return _step(report) is None or _step(report) != self._progress or report.resumed

    def _url(self, resource: str, action: str) -> str:
        return f"{self._server.base}/{resource}/{action}/feedback"


def _step(report: Report) -> tuple[str, int] | None:
    """Which tenth of its bytes an action has reached; None for what is not progress."""
    if report.phase is not Phase.DOWNLOADING or report.total <= 0:
        return None
    return report.action, 100 * report.done // report.total // PROGRESS_STEP
