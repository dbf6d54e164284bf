"""The operator's side of the hawkBit double: the Management API as far as a guard uses it."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from ota.rollout.web import Answer
from tests.support.ddi_double import DdiDouble, Status

_RSQL = re.compile(r"([\w.]+)(==|=lt=|=ge=)(.*)")


class HawkbitOperator:
    """A ``Web`` onto one double: rollout 7, all of whose actions are in the groups given."""

    def __init__(self, hawkbit: DdiDouble, groups: Mapping[int, Iterable[str]]) -> None:
        self.hawkbit = hawkbit
        self.groups = {number: set(devices) for number, devices in groups.items()}
        self.begun: dict[int, float] = {}
        """Running groups, and since when."""
        self.tells_when = True
        """Whether it says when a group was last changed."""
        self.paused = False
        self.deaf_to: str | None = None
        """Requests to this resource meet a server error."""

    def begin(self, *groups: int) -> None:
        """Now these groups run, too."""
        for number in groups:
            self.begun.setdefault(number, self.hawkbit.clock())

    def request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> Answer:
        if base64.b64decode(headers.get("Authorization", "").partition(" ")[2]) != b"guard:word":
            return Answer(401)
        parts = urlsplit(url)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        pieces = [unquote(piece) for piece in parts.path.split("/")[3:]]
        if self.deaf_to in pieces:
            return Answer(503)
        match (method, *pieces):
            case ("GET", "actions"):
                return self._page(self._actions(), query)
            case ("GET", "rollouts", "7", "deploygroups"):
                return self._page([self._group(number) for number in self.groups], query)
            case ("GET", "rollouts", "7", "deploygroups", number, "targets"):
                wanted = self.groups[int(number)]
                rows = [row for row in self._targets() if row["controllerId"] in wanted]
                return self._page(rows, query)
            case ("POST", "rollouts", "7", "pause"):
                before, self.paused = self.paused, True
                return Answer(400 if before else 200)
            case ("GET", "targets", device, "actions"):
                rows = [row for row in self._actions() if row["target.id"] == device]
                return self._page(rows, query)
            case ("DELETE", "targets", _, "actions", number):
                return self._cancel(int(number), force=query.get("force") == "true")
        return Answer(404)

    def _group(self, number: int) -> dict[str, Any]:
        row = {"id": number, "status": "running" if number in self.begun else "scheduled"}
        changed = round(self.begun.get(number, 0) * 1000)
        return {**row, "lastModifiedAt": changed} if self.tells_when else row

    def _cancel(self, number: int, *, force: bool) -> Answer:
        action = self.hawkbit.actions[number]
        if not action.active:
            return Answer(404)
        if force and action.status is not Status.CANCELING:
            return Answer(405)  # hawkBit insists on an ordinary cancellation first
        self.hawkbit.cancel(action, force=force)
        return Answer(204)

    def _actions(self) -> list[dict[str, Any]]:
        return [
            {
                "id": action.id,
                "status": "pending" if action.active else "finished",
                "detailStatus": action.status.value,
                "rollout.id": "7",
                "target.id": action.device,
            }
            for action in self.hawkbit.actions.values()
        ]

    def _targets(self) -> list[dict[str, Any]]:
        return [
            {
                "controllerId": device.id,
                "updatestatus": "pending" if self.hawkbit.active(device.id) else "in_sync",
                "lastcontrollerrequestat": round(device.last_request * 1000),
            }
            for device in self.hawkbit.devices.values()
        ]

    def _page(self, rows: list[dict[str, Any]], query: Mapping[str, str]) -> Answer:
        found = [row for row in rows if _matches(row, query.get("q", ""))]
        page = found[: int(query.get("limit", "50"))]
        return Answer(200, {}, json.dumps({"total": len(found), "content": page}).encode())


def _matches(row: Mapping[str, Any], query: str) -> bool:
    """The little of RSQL that is used: comparisons that all must hold."""
    for part in filter(None, query.split(";")):
        found = _RSQL.fullmatch(part)
        assert found is not None, query
        name, sign, value = found.groups()
        have = row[name]
        if sign == "==" and str(have) != value:
            return False
        if sign == "=lt=" and not have < int(value):
            return False
        if sign == "=ge=" and not have >= int(value):
            return False
    return True
