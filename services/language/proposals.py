"""The calls a line may mean in this home, for a language model to choose from. Pure.

A call is offered only if what it names stands in the line, but for slips of the fingers: a device
or room of this home, every number and every colour. So no model can make up a name or a value,
and none that was typed is passed over. A line that puts a command off, denies it or joins two
offers nothing that moves a device.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from services.language import not_now
from services.language.arguments import Color, HvacMode
from services.language.calls import Call, Value
from services.language.folding import fold
from services.language.functions import EVERYWHERE, FUNCTIONS, CallError, checked
from services.language.homeview import EntityView, HomeView
from services.language.nearness import any_near, holds, near, plain_words
from services.language.number_reading import number_of
from services.language.spoken import spoken

MAX_NAMES = 24
"""Names of one home that a line may hold; more are left out, the longest first."""
_SWITCHED_BY_AREA = ("light", "cover", "fan", "switch")
_COLORS: tuple[str, ...] = get_args(Color)
_MODES: tuple[str, ...] = get_args(HvacMode.model_fields["mode"].annotation)
_VALUE = {
    "HassLightSet": "brightness", "HassSetPosition": "position", "HassFanSetSpeed": "percentage",
    "HassHumidifierSetpoint": "humidity", "HassClimateSetTemperature": "temperature",
}  # fmt: skip
_PLAIN = (
    "HassGetCurrentTime", "HassGetCurrentDate", "HassCancelTimer", "HassCancelAllTimers",
    "HassTimerStatus", "HassPauseTimer", "HassUnpauseTimer", "LinnetUndo", "LinnetRepeat",
    "LinnetStop", "LinnetAlarmStatus", "LinnetCancelAlarm", "LinnetSnooze",
)  # fmt: skip
"""Calls without arguments; ``HassNevermind`` is what nothing at all comes to."""
_BY_PLACE = (
    "HassTurnOn", "HassTurnOff", "HassStopMoving", "HassVacuumStart", "HassVacuumReturnToBase",
    "HassGetState", "HassClimateGetTemperature",
)  # fmt: skip
_LONG_COLOR = 5
_LOUDNESS = ("volume", "sound", "louder", "quieter", "loud", "quiet")
_NEVER = frozenset({"lock", "alarm_control_panel"})
"""Kinds no place stands for: who means these must name them."""

Arguments = dict[str, Value]


@dataclass(frozen=True)
class _Place:
    """One way to say where, and the words that say it."""

    arguments: tuple[tuple[str, Value], ...]
    domains: frozenset[str]
    words: frozenset[int] = frozenset()


def proposals(text: str, view: HomeView) -> tuple[Call, ...]:
    """Every call that the line's words allow, each checked; empty when there is none."""
    line = _Line(plain_words(spoken(text)), view)
    return tuple(dict.fromkeys(_checked(line.calls())))


def _checked(calls: Iterator[Call]) -> Iterator[Call]:
    for call in calls:
        try:
            yield checked(call)
        except CallError:
            continue


class _Line:
    """The words of one line in one home."""

    def __init__(self, words: Sequence[str], view: HomeView) -> None:
        self.words = words
        self.view = view
        self.numbers = _numbers(words)
        self.colors = {c: at for c in _COLORS if (at := _color(words, c))}
        self.held = bool(not_now.WORDS & set(words))
        self.lasting = any_near(words, not_now.LASTING)
        self.places = list(self._places())

    def calls(self) -> Iterator[Call]:
        for name in _PLAIN:
            if not self.numbers and not self.colors:
                yield Call.of(name)
        yield from self._timers()
        for place in self.places:
            for name in (*_BY_PLACE, *_VALUE, "HassClimateSetHvacMode"):
                if self._fits(name, place):
                    yield from self._about(name, place)
        yield from self._volume()

    def _fits(self, name: str, place: _Place) -> bool:
        row = FUNCTIONS[name]
        if row.effect == "moves" and (self.held or self.lasting):
            return False
        return bool(row.domains & place.domains)

    def _about(self, name: str, place: _Place) -> Iterator[Call]:
        """Calls of one function in one place that use every number and colour of the line."""
        numbers = [n for at, n in self.numbers if not at & place.words]
        colors = [c for c, at in self.colors.items() if not at & place.words]
        base = dict(place.arguments)
        if name in _BY_PLACE:
            if not numbers and not colors and (base or name == "HassClimateGetTemperature"):
                yield Call.of(name, **base)
        elif name == "HassLightSet" and colors and not numbers:
            for color in colors[:2]:
                yield Call.of(name, **_without_domain(base), color=color)
        elif name == "HassClimateSetHvacMode" and not numbers and not colors:
            for mode in _MODES:
                if holds(self.words, mode.replace("_", " ")):
                    yield Call.of(name, **base, mode=mode)
        elif name in _VALUE and len(numbers) == 1 and not colors:
            yield Call.of(name, **_without_domain(base), **{_VALUE[name]: numbers[0]})

    def _volume(self) -> Iterator[Call]:
        if self.held or self.lasting or self.colors or not any_near(self.words, _LOUDNESS):
            return
        if len(self.numbers) == 1:
            yield Call.of("HassSetVolume", volume_level=self.numbers[0][1])
        elif not self.numbers:
            for step in ("up", "down"):
                yield Call.of("HassSetVolumeRelative", volume_step=step)

    def _timers(self) -> Iterator[Call]:
        span = self._span()
        if span:
            for name in ("HassStartTimer", "HassIncreaseTimer", "HassDecreaseTimer"):
                yield Call.of(name, **span)

    def _span(self) -> Arguments:
        """``one hour ten minutes`` as arguments; empty when a number has no unit after it."""
        found: Arguments = {}
        for at, value in self.numbers:
            after = max(at) + 1
            if after >= len(self.words):
                return {}
            unit = next((u for u in not_now.LASTING if near(self.words[after], u)), None)
            if unit is None or unit in found:
                return {}
            found[unit] = value
        return found

    # --- places ------------------------------------------------------------------------------

    def _places(self) -> Iterator[_Place]:
        named = sorted(self._named(), key=lambda pair: -len(pair[1]))[:MAX_NAMES]
        said = [at for _, at in named]
        rooms = [(area, at) for area, at in self._rooms() if not any(at < name for name in said)]
        for entity, at in named:
            if any(at < other for other in said):
                continue  # "lamp", where "desk lamp" stands
            yield _Place((("name", entity.name),), frozenset({entity.domain}), at)
            for area, here in rooms:
                if area == entity.area and not at & here:
                    both = (("area", area), ("name", entity.name))
                    yield _Place(both, frozenset({entity.domain}), at | here)
        for area, at in rooms:
            kinds = frozenset(e.domain for e in self.view.entities if e.area == area)
            there = kinds - _NEVER
            yield _Place((("area", area),), there & {"light", "climate", "sensor"}, at)
            for domain in _SWITCHED_BY_AREA:
                if domain in there:
                    yield _Place((("area", area), ("domain", domain)), frozenset({domain}), at)
        if not said and not rooms:
            yield from self._everywhere()

    def _everywhere(self) -> Iterator[_Place]:
        """No device and no room is named: this room's, or the whole home's."""
        kinds = frozenset(e.domain for e in self.view.entities)
        yield _Place((), kinds & {"climate", "light", "vacuum"})
        for domain, said in _KINDS.items():
            if domain in kinds and any_near(self.words, said):
                yield _Place((("domain", domain),), frozenset({domain}))
                if any_near(self.words, ("everywhere", "house", "home", "all", "every")):
                    whole = (("area", EVERYWHERE), ("domain", domain))
                    yield _Place(whole, frozenset({domain}))

    def _rooms(self) -> Iterator[tuple[str, frozenset[int]]]:
        for area in self.view.areas:
            if at := holds(self.words, fold(area)):
                yield area, at

    def _named(self) -> Iterator[tuple[EntityView, frozenset[int]]]:
        for entity in self.view.entities:
            found = [holds(self.words, fold(name)) for name in (entity.name, *entity.aliases)]
            best = max(found, key=len)
            if best:
                yield entity, best


_KINDS: Mapping[str, tuple[str, ...]] = {
    "light": ("lights", "lamps", "lighting"),
    "cover": ("blinds", "curtains", "shutters", "covers", "shades"),
    "fan": ("fans",),
}


def _color(words: Sequence[str], color: str) -> frozenset[int]:
    """Short colours must be typed right: "like" is no "lime"."""
    if len(color) < _LONG_COLOR and color not in words:
        return frozenset()
    return holds(words, color)


def _without_domain(base: Arguments) -> Arguments:
    """What only one kind of device can do needs no kind."""
    return {key: value for key, value in base.items() if key != "domain"}


def _numbers(words: Sequence[str]) -> list[tuple[frozenset[int], int]]:
    """(places, value) of each whole number, the longest run of words first."""
    found, n = [], 0
    while n < len(words):
        for end in range(min(len(words), n + 5), n, -1):
            value = number_of(" ".join(words[n:end])) if words[n] != "a" else None
            if value is not None and value.isdecimal():
                found.append((frozenset(range(n, end)), int(value)))
                n = end
                break
        else:
            n += 1
    return found
