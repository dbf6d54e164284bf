"""A hawkBit in memory: its device interface (DDI) as real devices meet it.

Behaviour as read in hawkBit's own sources and tests, and proven with Debian's unmodified
``swupdate`` (tests/ota/rollout/test_ddi_double.py). ``handle`` is pure request to reply, so a test
may call it without a socket; ``tests/support/http_front.py`` puts it on one.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Literal
from urllib.parse import parse_qs, unquote, urlsplit

Kind = Literal["soft", "forced", "downloadonly"]
EXECUTIONS = {
    "closed", "proceeding", "canceled", "scheduled",
    "rejected", "resumed", "download", "downloaded",
}  # fmt: skip
FINISHED = {"success", "failure", "none"}
MAX_STATUS_ENTRIES = 1000


class Status(str, Enum):
    RUNNING = "running"
    SCHEDULED = "scheduled"
    DOWNLOAD = "download"
    DOWNLOADED = "downloaded"
    FINISHED = "finished"
    ERROR = "error"
    WARNING = "warning"
    CANCELING = "canceling"
    CANCELED = "canceled"
    WAIT_FOR_CONFIRMATION = "wait_for_confirmation"


_OF_EXECUTION = {
    "download": Status.DOWNLOAD,
    "downloaded": Status.DOWNLOADED,
    "rejected": Status.WARNING,
    "canceled": Status.WARNING,
}


@dataclass
class Action:
    id: int
    device: str
    metadata: dict[str, str]
    kind: Kind = "soft"
    status: Status = Status.RUNNING
    active: bool = True
    window: bool | None = None
    """Whether now lies in its maintenance window; None: it has none."""
    artifacts: dict[str, bytes] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)

    @property
    def c(self) -> int:
        """Changes when a soft action is forced."""
        return int.from_bytes(hashlib.sha1(f"{self.id}{self.kind}".encode()).digest()[:4], "big")

    @property
    def executions(self) -> list[str]:
        return [entry["status"]["execution"] for entry in self.history]


@dataclass
class Device:
    id: str
    wants_attributes: bool = True
    attributes: dict[str, str] = field(default_factory=dict)
    installed: int | None = None
    last_request: float = 0.0
    requests: int = 0


@dataclass(frozen=True)
class Reply:
    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def _json(document: Mapping[str, Any], status: int = 200, **headers: str) -> Reply:
    return Reply(
        status, json.dumps(document).encode(), {"Content-Type": "application/json", **headers}
    )


class DdiDouble:
    """One tenant. Everything a test wants to know or to break is a plain attribute."""

    def __init__(
        self,
        *,
        gateway_token: str | None = None,
        target_tokens: Mapping[str, str] | None = None,
        sleep: str = "00:05:00",
        tenant: str = "DEFAULT",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.tenant, self.sleep, self.clock = tenant, sleep, clock
        self.gateway_token, self.target_tokens = gateway_token, target_tokens
        self.devices: dict[str, Device] = {}
        self.actions: dict[int, Action] = {}
        self.next_id = 1
        self.busy = 0
        """Answer 429 to so many requests."""
        self.origin = "http://hawkbit.invalid"

    # --- the operator's side --------------------------------------------------------------------

    def assign(
        self,
        device: str,
        target: str | None,
        kind: Kind = "soft",
        *,
        confirm: bool = False,
        window: bool | None = None,
        artifacts: Mapping[str, bytes] | None = None,
    ) -> Action:
        """Assign a release to a device; what was assigned before is cancelled, as hawkBit does."""
        self._device(device)
        before = self.active(device)
        if before is not None:
            before.status = Status.CANCELING
        action = Action(
            self.next_id, device, {"tuf-target": target} if target else {}, kind,
            Status.WAIT_FOR_CONFIRMATION if confirm else Status.RUNNING,
            window=window, artifacts=dict(artifacts or {}),
        )  # fmt: skip
        self.next_id += 1
        self.actions[action.id] = action
        return action

    def cancel(self, action: Action, *, force: bool = False) -> None:
        assert action.active
        action.status = Status.CANCELED if force else Status.CANCELING
        action.active = not force

    def active(self, device: str) -> Action | None:
        """What the device is served: the oldest that is still active."""
        return next((a for a in self.actions.values() if a.device == device and a.active), None)

    # --- the device's side ----------------------------------------------------------------------

    def handle(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Reply:
        """One request; ``headers`` in lower case."""
        headers = headers or {}
        if self.busy > 0:
            self.busy -= 1
            return Reply(429, headers={"Retry-After": "120"})
        parts = urlsplit(path)
        pieces = [unquote(piece) for piece in parts.path.strip("/").split("/")]
        if pieces[1:3] != ["controller", "v1"] or len(pieces) < 4:
            return Reply(404)
        if pieces[0].upper() != self.tenant.upper():
            return Reply(401)
        device_id, rest = pieces[3], pieces[4:]
        if not self._allowed(device_id, headers.get("authorization", "")):
            return Reply(401)
        device = self._device(device_id)
        device.last_request, device.requests = self.clock(), device.requests + 1
        base = f"{self._origin(headers)}/{pieces[0]}/controller/v1/{pieces[3]}"
        if not rest:
            return self._base(device, base, headers) if method == "GET" else Reply(405)
        return self._resource(device, base, method, rest, parts.query, headers, body)

    def _resource(
        self,
        device: Device,
        base: str,
        method: str,
        rest: list[str],
        query: str,
        headers: Mapping[str, str],
        body: bytes,
    ) -> Reply:
        match (method, *rest):
            case ("PUT", "configData"):
                return self._config_data(device, body)
            case ("GET", "deploymentBase", number):
                return self._deployment(device, number, base, query)
            case ("POST", "deploymentBase", number, "feedback"):
                return self._feedback(device, number, body)
            case ("GET", "cancelAction", number):
                action = self._action(device, number)
                if action is None or action.status is not Status.CANCELING:
                    return Reply(404)
                stop = str(action.id)
                return _json({"id": stop, "cancelAction": {"stopId": stop}})
            case ("POST", "cancelAction", number, "feedback"):
                return self._cancel_feedback(device, number, body)
            case ("GET", "confirmationBase", number):
                return self._confirmation(device, number, base)
            case ("POST", "confirmationBase", number, "feedback"):
                return self._confirmed(device, number, body)
            case ("GET", "installedBase", number):
                action = self._action(device, number)
                if action is None or device.installed != action.id:
                    return Reply(404)
                return _json({"id": number, "deployment": self._described(action, base)})
            case ("GET" | "HEAD", "softwaremodules", _, "artifacts", name):
                return self._artifact(device, name, headers)
        return Reply(404)

    def _base(self, device: Device, base: str, headers: Mapping[str, str]) -> Reply:
        links: dict[str, Any] = {}
        action = self.active(device.id)
        if action is not None and action.status is Status.CANCELING:
            links["cancelAction"] = {"href": f"{base}/cancelAction/{action.id}"}
        elif action is not None and action.status is Status.WAIT_FOR_CONFIRMATION:
            links["confirmationBase"] = {"href": f"{base}/confirmationBase/{action.id}"}
        elif action is not None:
            links["deploymentBase"] = {"href": f"{base}/deploymentBase/{action.id}?c={action.c}"}
        if device.installed is not None:
            links["installedBase"] = {"href": f"{base}/installedBase/{device.installed}"}
        if device.wants_attributes:
            links["configData"] = {"href": f"{base}/configData"}
        document = {"config": {"polling": {"sleep": self.sleep}}, "_links": links}
        etag = '"' + hashlib.sha1(json.dumps(document).encode()).hexdigest() + '"'
        if headers.get("if-none-match") == etag:
            return Reply(304, headers={"ETag": etag})
        return _json(document, ETag=etag)

    def _deployment(self, device: Device, number: str, base: str, query: str) -> Reply:
        action = self._action(device, number)
        served = action is not None and action.active
        if action is None or not served or action.status in (
            Status.CANCELING, Status.WAIT_FOR_CONFIRMATION,
        ):  # fmt: skip
            return Reply(404)
        document: dict[str, Any] = {"id": number, "deployment": self._described(action, base)}
        if int(parse_qs(query).get("actionHistory", ["0"])[0]) != 0:
            document["actionHistory"] = {"status": action.status.name, "messages": []}
        return _json(document)

    def _described(self, action: Action, base: str) -> dict[str, Any]:
        handling = "attempt" if action.kind == "soft" else "forced"
        closed = action.kind == "downloadonly" or action.window is False
        document: dict[str, Any] = {
            "download": handling,
            "update": "skip" if closed else handling,
            "chunks": [
                {
                    "part": "bApp",
                    "version": "1",
                    "name": "voice-models",
                    "artifacts": [self._linked(name, action, base) for name in action.artifacts],
                    "metadata": [{"key": k, "value": v} for k, v in action.metadata.items()],
                }
            ],
        }
        if action.window is not None:
            document["maintenanceWindow"] = "available" if action.window else "unavailable"
        return document

    def _linked(self, name: str, action: Action, base: str) -> dict[str, Any]:
        data = action.artifacts[name]
        href = f"{base}/softwaremodules/{action.id}/artifacts/{name}"
        hashes = {kind: hashlib.new(kind, data).hexdigest() for kind in ("sha1", "md5", "sha256")}
        links = {rel: {"href": href} for rel in ("download", "download-http")}
        return {"filename": name, "size": len(data), "hashes": hashes, "_links": links}

    def _feedback(self, device: Device, number: str, body: bytes) -> Reply:
        entry = _status(body)
        if entry is None:
            return Reply(400)
        action = self._action(device, number)
        if action is None or action.status is Status.WAIT_FOR_CONFIRMATION:
            return Reply(404)
        if not action.active:
            return Reply(410)
        if len(action.history) >= MAX_STATUS_ENTRIES:
            return Reply(429)
        action.history.append(entry)
        execution, finished = entry["status"]["execution"], entry["status"]["result"]["finished"]
        if execution == "closed":
            self._end(action, Status.ERROR if finished == "failure" else Status.FINISHED)
        elif action.kind == "downloadonly" and execution == "downloaded":
            self._end(action, Status.DOWNLOADED)
        elif action.status is not Status.CANCELING:
            action.status = _OF_EXECUTION.get(execution, Status.RUNNING)
        return Reply(200)

    def _end(self, action: Action, status: Status) -> None:
        action.status, action.active = status, False
        if status is Status.FINISHED:
            device = self.devices[action.device]
            device.installed, device.wants_attributes = action.id, True

    def _cancel_feedback(self, device: Device, number: str, body: bytes) -> Reply:
        entry = _status(body)
        if entry is None:
            return Reply(400)
        action = self._action(device, number)
        if action is None or (action.active and action.status is not Status.CANCELING):
            return Reply(404)
        if not action.active:
            return Reply(410)
        action.history.append(entry)
        execution, finished = entry["status"]["execution"], entry["status"]["result"]["finished"]
        if execution == "closed":
            self._end(action, Status.ERROR if finished == "failure" else Status.CANCELED)
        elif execution == "rejected":
            action.status = Status.RUNNING
        return Reply(200)

    def _confirmation(self, device: Device, number: str, base: str) -> Reply:
        action = self._action(device, number)
        if action is None or action.status is not Status.WAIT_FOR_CONFIRMATION:
            return Reply(404)
        return _json({"id": number, "confirmation": self._described(action, base)})

    def _confirmed(self, device: Device, number: str, body: bytes) -> Reply:
        action = self._action(device, number)
        if action is None or action.status is not Status.WAIT_FOR_CONFIRMATION:
            return Reply(404)
        word = _document(body).get("confirmation")
        if word not in ("confirmed", "denied"):
            return Reply(400)
        action.history.append({"status": {"execution": word}})
        if word == "confirmed":  # denied, it goes on waiting (hawkBit #1667)
            action.status = Status.RUNNING
        return Reply(200)

    def _config_data(self, device: Device, body: bytes) -> Reply:
        data = _document(body).get("data")
        if not isinstance(data, dict) or not data:
            return Reply(400)
        device.attributes.update(data)
        device.wants_attributes = False
        return Reply(200)

    def _artifact(self, device: Device, name: str, headers: Mapping[str, str]) -> Reply:
        action = self.active(device.id)
        if action is None or name not in action.artifacts:
            return Reply(404)
        data = action.artifacts[name]
        sha1 = hashlib.sha1(data).hexdigest()
        common = {
            "ETag": f'"{sha1}"',
            "Accept-Ranges": "bytes",
            "Content-Disposition": f"attachment;filename={name}",
        }
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", headers.get("range", ""))
        if wanted is None:
            return Reply(200, data, common)
        first, last = int(wanted[1]), int(wanted[2] or len(data) - 1)
        if first >= len(data):
            return Reply(416, headers={"Content-Range": f"bytes */{len(data)}"})
        span = f"bytes {first}-{min(last, len(data) - 1)}/{len(data)}"
        return Reply(206, data[first : last + 1], {**common, "Content-Range": span})

    # --- who is asking --------------------------------------------------------------------------

    def _allowed(self, device: str, authorization: str) -> bool:
        if self.gateway_token is None and self.target_tokens is None:
            return True
        if self.gateway_token and authorization == f"GatewayToken {self.gateway_token}":
            return True
        token = (self.target_tokens or {}).get(device)
        return token is not None and authorization == f"TargetToken {token}"

    def _device(self, device: str) -> Device:
        return self.devices.setdefault(device, Device(device))

    def _action(self, device: Device, number: str) -> Action | None:
        action = self.actions.get(int(number)) if number.isdecimal() else None
        return action if action is not None and action.device == device.id else None

    def _origin(self, headers: Mapping[str, str]) -> str:
        scheme = headers.get("x-forwarded-proto", "http")
        return f"{scheme}://{headers['host']}" if "host" in headers else self.origin


def _document(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _status(body: bytes) -> dict[str, Any] | None:
    """The feedback, where it has what hawkBit insists on; unknown fields are ignored."""
    entry = _document(body)
    status = entry.get("status")
    if not isinstance(status, dict) or status.get("execution") not in EXECUTIONS:
        return None
    result = status.get("result")
    if not isinstance(result, dict) or result.get("finished") not in FINISHED:
        return None
    return entry
