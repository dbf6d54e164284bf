"""The functions that templates may use, each bounded in what it makes.

Named and meant as in Home Assistant's templates, so that what devices announce works here too.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable
from typing import Any

from jinja2.exceptions import SecurityError
from jinja2.runtime import Undefined

MAX_NUMBER = 2**63
MAX_CHARS = 64 * 1024
"""Longest text that a function may make."""
_FORMAT = re.compile(r"[^%]{0,64}%0?\d{0,2}(\.\d{1,2})?[dfs][^%]{0,64}")


def bounded(text: str) -> str:
    if len(text) > MAX_CHARS:
        raise SecurityError("a text grew too long")
    return text


def bounded_join(parts: Iterable[object], between: str = "") -> str:
    """``str.join``, refused when it has grown too long."""
    return bounded(between.join(bounded(str(part)) for part in parts))


def bounded_replace(text: str, old: object, new: object, count: int = -1) -> str:
    """``str.replace``, refused before it grows."""
    before, after = str(old), str(new)
    if text.count(before) * len(after) > MAX_CHARS:
        raise SecurityError("a text grew too long")
    return bounded(text.replace(before, after, count))


def _number(kind: Callable[[Any], Any]) -> Callable[..., Any]:
    def convert(value: Any, default: Any = 0) -> Any:
        try:
            number = float(value) if not isinstance(value, Undefined) else math.nan
        except (TypeError, ValueError, OverflowError):
            return default
        return kind(number) if math.isfinite(number) else default

    return convert


def _round(value: Any, precision: int = 0, method: str = "common") -> float | int:
    places = min(max(int(precision), 0), 9)
    steps: dict[str, Callable[[float], int]] = {
        "ceil": math.ceil, "floor": math.floor, "common": round,
    }  # fmt: skip
    step = steps.get(method)
    if step is None or not isinstance(value, (int, float)) or abs(value) >= MAX_NUMBER:
        raise SecurityError("round needs an ordinary number and a known method")
    rounded = step(value * 10**places) / 10**places
    return rounded if places else int(rounded)


def _iif(value: Any, yes: Any = True, no: Any = False, none: Any = None) -> Any:
    if value is None and none is not None:
        return none
    return yes if value else no


def _string(value: Any) -> str:
    return bounded(str(value))


def _bool(value: Any, default: Any = False) -> Any:
    words = {"true": True, "on": True, "yes": True, "1": True, "enable": True,
             "false": False, "off": False, "no": False, "0": False, "disable": False}  # fmt: skip
    return value if isinstance(value, bool) else words.get(str(value).lower(), default)


def _is_number(value: Any) -> bool:
    try:
        return not isinstance(value, Undefined) and math.isfinite(float(value))
    except (TypeError, ValueError, OverflowError):
        return False


def _factor(value: Any, amount: Any) -> float | int:
    if not all(isinstance(n, (int, float)) and abs(n) < MAX_NUMBER for n in (value, amount)):
        raise SecurityError("multiply needs two ordinary numbers")
    return value * amount  # type: ignore[no-any-return]


def _sum(value: Any, amount: Any) -> float | int:
    if not all(isinstance(n, (int, float)) and abs(n) < MAX_NUMBER for n in (value, amount)):
        raise SecurityError("add needs two ordinary numbers")
    return value + amount  # type: ignore[no-any-return]


def _to_json(value: Any) -> str:
    return bounded(json.dumps(value))


def _from_json(value: Any) -> Any:
    return json.loads(bounded(str(value)))


def _join(value: Any, between: Any = "") -> str:
    if not isinstance(value, (list, tuple)) or len(value) * len(str(between)) > MAX_CHARS:
        raise SecurityError("join needs a short list")
    return bounded_join(value, str(between))


def _format(text: Any, *values: Any) -> str:
    if not isinstance(text, str) or not _FORMAT.fullmatch(text) or len(values) != 1:
        raise SecurityError("format takes one plain number or text")
    return bounded(text % values)


FILTERS: dict[str, Callable[..., Any]] = {
    "int": _number(int),
    "float": _number(float),
    "round": _round,
    "iif": _iif,
    "is_defined": lambda value: value,
    "string": _string,
    "bool": _bool,
    "is_number": _is_number,
    "multiply": _factor,
    "add": _sum,
    "replace": lambda text, old, new: bounded_replace(_string(text), old, new),
    "length": len,
    "count": len,
    "to_json": _to_json,
    "tojson": _to_json,
    "from_json": _from_json,
    "join": _join,
    "format": _format,
}
FUNCTIONS: dict[str, Callable[..., Any]] = {
    name: FILTERS[name] for name in ("int", "float", "bool", "iif", "is_number")
}
METHODS = frozenset(
    {"get", "split", "strip", "lstrip", "rstrip", "lower", "upper", "startswith", "endswith",
     "replace"}
)  # fmt: skip
"""Methods of texts and dicts that may be called."""
