"""The home as a source of tools: checked, carried out by the home, told from the outcome alone.

What is risky is decided by the home, which asks a person first; over MCP nobody can be asked, so
it is refused unless the owner's settings allow that kind of risk.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Protocol, get_args

from services.home.executor import Home
from services.home.relative import RELATIVE
from services.home.risk import Risk
from services.language.calls import Call
from services.language.folding import name_form
from services.language.functions import FUNCTIONS, CallError, read_call, tools
from services.language.homeview import EntityView, HomeView
from services.language.outcome import Outcome
from services.language.reply_languages import replies_in
from services.mcp.tools import BadArguments, Tool, ToolRefused, ToolResult, UnknownTool

GET_HOME = Tool(
    "get_home",
    "Lists the devices, rooms and floors of the home by the names that other tools take.",
    {"type": "object", "properties": {}, "additionalProperties": False},
    read_only=True,
    idempotent=True,
)
_OPENING = frozenset({"HassTurnOn", "HassTurnOff", "HassSetPosition", RELATIVE})
"""Calls that can unlock or open something, if that is what they name."""
_PLACES = ("name", "area", "floor")
RISKS: frozenset[str] = frozenset(get_args(Risk))
SESSION = "mcp"
"""Who the home asks back, and who answers where the owner allows it."""


class HomePort(Protocol):
    """What is needed of a home."""

    def view(self) -> HomeView: ...

    def execute(self, call: Call, *, session: str | None = None) -> Outcome: ...

    def confirm(self, said: str, session: str) -> Outcome: ...

    def withdraw(self) -> None: ...


class HomeTools:
    """See ``tools.ToolSource``."""

    def __init__(
        self,
        home: HomePort | Home,
        *,
        rings: bool = False,
        allowed: Iterable[str] = (),
        language: str = "en",
    ) -> None:
        """
        Args:
            rings: whether a timer of this home can be heard; else timers are not offered.
            allowed: the risks (`risk.Risk`) that the owner lets other programs take.
            language: of the texts that tell what became of a call.
        """
        self._home, self._allowed, self._language = home, frozenset(allowed), language
        effects = {"moves", "asks", "tells", *(["times"] if rings else [])}
        self._tools = {GET_HOME.name: GET_HOME}
        for entry in tools():
            function = entry["function"]
            effect = FUNCTIONS[function["name"]].effect
            if effect in effects:
                self._tools[function["name"]] = _tool(function, effect)

    def tools(self) -> tuple[Tool, ...]:
        return tuple(self._tools.values())

    def call(self, name: str, arguments: Mapping[str, Any]) -> ToolResult:
        if name not in self._tools:
            raise UnknownTool("there is no such tool")
        if name == GET_HOME.name:
            return _listed(self._home.view())
        try:
            call = read_call(name, _as_named(arguments))
        except CallError as error:
            raise BadArguments(str(error)) from None
        return _told(self._executed(call), self._language)

    def _executed(self, call: Call) -> Outcome:
        outcome = self._home.execute(call, session=SESSION)
        if outcome.error != "needs_confirmation":
            return outcome
        risks = frozenset(outcome.facts) & RISKS
        if not risks or not risks <= self._allowed:
            self._home.withdraw()
            raise ToolRefused(_refusal(risks, outcome))
        agreed = self._home.confirm("yes", SESSION)
        return Outcome(call, (*outcome.results, *agreed.results), error=agreed.error)


def _refusal(risks: Iterable[str], outcome: Outcome) -> str:
    what = " and ".join(sorted(risks)) or "this"
    done = sum(result.status == "confirmed" for result in outcome.results)
    rest = f"; {done} other devices were moved" if done else ""
    return (
        f"refused: {what} needs a yes spoken at the appliance; "
        f"the owner can allow it to other programs with mcp.allow in the settings{rest}"
    )


def _tool(function: Mapping[str, Any], effect: str) -> Tool:
    name = function["name"]
    read_only = effect in ("asks", "tells") or name.endswith("Status")
    return Tool(
        name,
        function["description"],
        function["parameters"],
        read_only=read_only,
        destructive=name in _OPENING or "Cancel" in name,
        idempotent=read_only or (effect == "moves" and name != RELATIVE),
    )


def _as_named(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Names as the home knows them: ``Kitchen Light`` is the kitchen light."""
    return {
        key: name_form(value[:100]) if key in _PLACES and isinstance(value, str) else value
        for key, value in arguments.items()
    }


def _told(outcome: Outcome, language: str) -> ToolResult:
    devices = [
        {"id": r.entity_id, "name": r.name, "status": r.status, "state": r.state}
        for r in outcome.results
    ]
    data = {
        "function": outcome.call.name,
        "devices": devices,
        "facts": dict(outcome.facts),
        "error": outcome.error,
    }
    failed = outcome.error is not None or any(r.status != "confirmed" for r in outcome.results)
    return ToolResult(replies_in(language, outcome)[0], data, failed)


def _listed(view: HomeView) -> ToolResult:
    data = {
        "devices": [_device(entity) for entity in view.entities],
        "rooms": list(view.areas),
        "floors": list(view.floors),
        "here": view.here,
    }
    return ToolResult(json.dumps(data, ensure_ascii=False), data)


def _device(entity: EntityView) -> dict[str, object]:
    return {
        "id": entity.entity_id,
        "name": entity.name,
        "kind": entity.domain,
        "room": entity.area,
        "floor": entity.floor,
        "other_names": list(entity.aliases),
        "can": sorted(entity.features),
    }
