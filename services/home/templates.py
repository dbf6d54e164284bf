"""Value templates from the network: Jinja2 held so small that it cannot loop, call or grow.

Discovery payloads carry templates such as ``{{ value_json["state"] }}``, and anybody on the broker
can write one. Only expressions and ``if`` are allowed: no loops, calls, macros, assignments or
string multiplication. What is left runs in time proportional to template size times value size,
and both are bounded, so no timer is needed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from jinja2 import Template, TemplateError, nodes
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

MAX_SOURCE_BYTES = 4096
MAX_VALUE_BYTES = 16 * 1024
MAX_RESULT_CHARS = 4096
MAX_NODES = 300
_MAX_NUMBER = 2**63

_NODES: tuple[type[nodes.Node], ...] = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Const, nodes.Name, nodes.Getattr,
    nodes.Getitem, nodes.Filter, nodes.Test, nodes.CondExpr, nodes.Compare, nodes.Operand,
    nodes.And, nodes.Or, nodes.Not, nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv,
    nodes.Mod, nodes.Neg, nodes.Pos, nodes.Concat, nodes.If, nodes.Dict, nodes.Pair, nodes.List,
    nodes.Tuple, nodes.Keyword,
)  # fmt: skip
_BUILTIN_FILTERS = ("abs", "default", "d", "first", "last", "lower", "string", "trim", "upper")
_TESTS = (
    "defined", "undefined", "none", "number", "string", "boolean", "true", "false", "mapping",
    "odd", "even", "in", "eq", "equalto", "==", "ne", "!=", "gt", ">", "ge", ">=", "lt", "<",
    "le", "<=", "greaterthan", "lessthan",
)  # fmt: skip


class TemplateRefused(ValueError):
    """The template is too large, malformed, or asks for more than a reading needs."""


class TemplateFailed(ValueError):
    """The template is sound but this value does not fit it."""


class _Sandbox(ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%"})

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        # Numbers only: '"a" * 10**9' and '"%999999999d" % 1' are how a template eats memory.
        for operand in (left, right):
            if not isinstance(operand, (int, float)) or abs(operand) >= _MAX_NUMBER:
                raise SecurityError(f"{operator} needs two ordinary numbers")
        return self.binop_table[operator](left, right)


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
    if step is None or not isinstance(value, (int, float)) or abs(value) >= _MAX_NUMBER:
        raise SecurityError("round needs an ordinary number and a known method")
    rounded = step(value * 10**places) / 10**places
    return rounded if places else int(rounded)


def _environment() -> _Sandbox:
    sandbox = _Sandbox(autoescape=False)  # a plain value comes out, not a web page
    builtin = dict(sandbox.filters)
    sandbox.filters.clear()
    sandbox.filters.update({name: builtin[name] for name in _BUILTIN_FILTERS})
    sandbox.filters.update(
        int=_number(int),
        float=_number(float),
        round=_round,
        iif=lambda value, yes=True, no=False, none=None: (
            none if value is None and none is not None else yes if value else no
        ),
        is_defined=lambda value: value,
    )
    tests = dict(sandbox.tests)
    sandbox.tests.clear()
    sandbox.tests.update({name: tests[name] for name in _TESTS})
    sandbox.globals.clear()
    return sandbox


_SANDBOX = _environment()


@lru_cache(maxsize=2048)
def compile_template(source: str) -> Template:
    """Check and compile, remembered by source.

    Raises:
        TemplateRefused: too large, malformed, or outside the allowed subset.
    """
    if len(source.encode(errors="replace")) > MAX_SOURCE_BYTES:
        raise TemplateRefused(f"template is longer than {MAX_SOURCE_BYTES} bytes")
    try:
        tree = _SANDBOX.parse(source)
        _check(tree)
        return _SANDBOX.from_string(source)
    except TemplateRefused:
        raise
    except (TemplateError, SyntaxError, RecursionError, MemoryError, ValueError) as error:
        raise TemplateRefused(f"template is malformed ({type(error).__name__})") from error


def _check(tree: nodes.Template) -> None:
    pending: list[nodes.Node] = [tree]
    count = 0
    while pending:
        node = pending.pop()
        count += 1
        if not isinstance(node, _NODES):
            raise TemplateRefused(f"template uses {type(node).__name__.lower()}: not allowed")
        if count > MAX_NODES:
            raise TemplateRefused(f"template has more than {MAX_NODES} parts")
        pending.extend(node.iter_child_nodes())


def render(source: str | None, payload: bytes) -> str:
    """The value a template reads from a payload; the payload's own text when there is none.

    Raises:
        TemplateFailed: the payload is too large, not text, or does not fit the template.
        TemplateRefused: as ``compile_template``.
    """
    try:
        value = payload.decode()
    except UnicodeDecodeError as error:
        raise TemplateFailed("payload is not text") from error
    if source is None:
        return value[:MAX_RESULT_CHARS]
    if len(payload) > MAX_VALUE_BYTES:
        raise TemplateFailed(f"payload is longer than {MAX_VALUE_BYTES} bytes")
    names: dict[str, Any] = {"value": value}
    document = parse_json(payload)
    if document is not None:
        names["value_json"] = document
    try:
        # Whatever an expression may raise on foreign values is the value's fault, not ours.
        return compile_template(source).render(names)[:MAX_RESULT_CHARS].strip()
    except (TemplateError, ArithmeticError, TypeError, ValueError, LookupError) as error:
        raise TemplateFailed(f"value does not fit its template ({type(error).__name__})") from error
    except (AttributeError, RecursionError) as error:
        raise TemplateFailed(f"value does not fit its template ({type(error).__name__})") from error


def parse_json(payload: bytes) -> Any:
    """The JSON value of a payload, None when it is not JSON (or is ``null``)."""
    try:
        return json.loads(payload)
    except (ValueError, RecursionError):
        return None
