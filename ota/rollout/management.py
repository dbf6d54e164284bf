"""hawkBit's Management API, as far as a guard needs it: counts, a stop, and who fell silent.

hawkBit never counts a silent device as failed (its issue 693) and a force-cancelled action not as
an error (2558). So the counts here are made of queries, each of which costs the server one row.
"""

from __future__ import annotations

import base64
from datetime import datetime, timedelta
from typing import Generic, TypeVar
from urllib.parse import quote, urlencode

from pydantic import Field

from ota.rollout.guard import Tally
from ota.rollout.json_api import Document, JsonApi, expect, read, safe_address
from ota.rollout.web import HttpWeb, Web

PAGE = 500
MAX_GROUPS = 500
MAX_SILENT = 5000
"""Silent devices whose actions are cancelled in one round."""


class Group(Document):
    """One group of a roll-out."""

    id: int = Field(ge=0, le=2**63 - 1)
    status: str = Field(max_length=32)
    modified: int | None = Field(default=None, alias="lastModifiedAt", ge=0, le=2**53)
    """Unix milliseconds. Of a running group: when it began, or when a target was last added to it
    or deleted."""


class Target(Document):
    """One device."""

    controller: str = Field(alias="controllerId", min_length=1, max_length=256)


class Action(Document):
    """One assignment to a device."""

    id: int = Field(ge=0, le=2**63 - 1)


R = TypeVar("R", bound=Document)


class Page(Document, Generic[R]):
    """The rows asked for, of ``total``."""

    total: int = Field(ge=0, le=2**40)
    content: tuple[R, ...] = Field(default=(), max_length=PAGE)


class HawkbitManagement:
    """One hawkBit, seen by its operator.

    Every method raises TransferError where the server cannot be asked or answers nothing usable.
    """

    def __init__(self, url: str, user: str, password: str, web: Web | None = None) -> None:
        """
        Args:
            url: ``https://host[:port]``; plain http only to this machine.
            user: as hawkBit knows it, tenant included: ``DEFAULT\\guard``.
        """
        self._url = safe_address(url)
        secret = base64.b64encode(f"{user}:{password}".encode()).decode()
        self._api = JsonApi(url, f"Basic {secret}", web or HttpWeb())
        self._began: dict[int, datetime] = {}

    def tally(self, rollout: int, now: datetime, silent_after: timedelta) -> Tally:
        """How a roll-out stands.

        Silent are the targets of its running groups that still have to end, were heard since their
        group began, and then no more.
        """
        finished = self._actions(rollout, "detailStatus==finished")
        failed = self._actions(rollout, "detailStatus==error")
        cancelled = self._actions(rollout, "detailStatus==canceled")
        under_way, silent = 0, 0
        for group, began in self._running(rollout, now).items():
            under_way += self._targets(rollout, group, _since(began)).total
            silent += self._targets(rollout, group, _silent(began, now, silent_after)).total
        begun = finished + failed + cancelled + under_way
        return Tally(begun, finished, failed, silent, cancelled)

    def pause(self, rollout: int) -> None:
        """Start no further group. What is under way goes on: the signed roll-out stops that."""
        answer = self._api.ask("POST", f"{self._url}/rest/v1/rollouts/{rollout}/pause")
        if answer.status != 400:  # already paused
            expect(answer)

    def cancel_silent(self, rollout: int, now: datetime, silent_after: timedelta) -> int:
        """Take the action of every silent target back by force; how many.

        hawkBit would wait for ever for them. They count as ``cancelled`` from then on.
        """
        done = 0
        for group, began in self._running(rollout, now).items():
            query = _silent(began, now, silent_after)
            for target in self._targets(rollout, group, query, PAGE).content:
                done += self._cancel(target.controller)
                if done >= MAX_SILENT:
                    return done
        return done

    def _cancel(self, controller: str) -> int:
        base = f"{self._url}/rest/v1/targets/{quote(controller, safe='')}/actions"
        page = self._get(Page[Action], f"{base}?{urlencode({'q': 'status==pending'})}")
        for action in page.content:
            where = f"{base}/{action.id}"
            self._api.ask("DELETE", where)  # force needs a cancellation before it
            expect(self._api.ask("DELETE", f"{where}?force=true"), 200, 204, 404, 405)
        return len(page.content)

    def _actions(self, rollout: int, condition: str) -> int:
        query = urlencode({"q": f"rollout.id=={rollout};{condition}", "limit": 1})
        return self._get(Page[Action], f"{self._url}/rest/v1/actions?{query}").total

    def _running(self, rollout: int, now: datetime) -> dict[int, datetime]:
        """Its running groups and when each began: the earliest that was ever said or seen."""
        where = f"{self._url}/rest/v1/rollouts/{rollout}/deploygroups?limit={MAX_GROUPS}"
        rows = self._get(Page[Group], where).content
        groups = [group for group in rows if group.status == "running"]
        for group in groups:
            said = now if group.modified is None else _moment(group.modified, now)
            self._began[group.id] = min(said, self._began.get(group.id, said))
        return {group.id: self._began[group.id] for group in groups}

    def _targets(self, rollout: int, group: int, condition: str, limit: int = 1) -> Page[Target]:
        query = urlencode({"q": f"updatestatus==pending;{condition}", "limit": limit})
        where = f"{self._url}/rest/v1/rollouts/{rollout}/deploygroups/{group}/targets?{query}"
        return self._get(Page[Target], where)

    def _get(self, model: type[R], url: str) -> R:
        return read(model, expect(self._api.ask("GET", url), 200).body)


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _moment(ms: int, latest: datetime) -> datetime:
    """No later than ``latest``, which a date far ahead could not be made into either."""
    return datetime.fromtimestamp(min(ms, _ms(latest)) / 1000, latest.tzinfo)


def _since(began: datetime) -> str:
    return f"lastcontrollerrequestat=ge={_ms(began)}"


def _silent(began: datetime, now: datetime, after: timedelta) -> str:
    return f"{_since(began)};lastcontrollerrequestat=lt={_ms(now - after)}"
