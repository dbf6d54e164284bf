"""Templates from the network: Jinja2 held so small that it cannot loop, call freely or grow.

Discovery payloads carry templates such as ``{{ value_json["state"] }}``, and anybody on the broker
can write one. Expressions, ``if`` and ``set`` are allowed, and a list of harmless functions; no
loops, macros or string multiplication. Two rules keep results small: whatever joins texts is
bounded (else ``[[value] ~ ""] ~ ""`` doubles at each level), and a name that was set is not used
to set another. What is left runs in time proportional to template size times value size, and both
are bounded, so no timer is needed.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from jinja2 import Template, TemplateError, nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from services.home.template_functions import (
    FILTERS,
    FUNCTIONS,
    MAX_NUMBER,
    METHODS,
    bounded_join,
    bounded_replace,
)

MAX_SOURCE_BYTES = 4096
MAX_VALUE_BYTES = 16 * 1024
MAX_RESULT_CHARS = 4096
MAX_NODES = 300
MAX_PRODUCT = 2 * MAX_NODES
"""Parts inside ``set`` times parts outside it."""

_NODES: tuple[type[nodes.Node], ...] = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Const, nodes.Name, nodes.Getattr,
    nodes.Getitem, nodes.Filter, nodes.Test, nodes.CondExpr, nodes.Compare, nodes.Operand,
    nodes.And, nodes.Or, nodes.Not, nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv,
    nodes.Mod, nodes.Neg, nodes.Pos, nodes.Concat, nodes.If, nodes.Dict, nodes.Pair, nodes.List,
    nodes.Tuple, nodes.Keyword, nodes.Assign, nodes.Call, nodes.Slice,
)  # fmt: skip
_BUILTIN_FILTERS = ("abs", "default", "d", "first", "last", "lower", "trim", "upper")
_TESTS = (
    "defined", "undefined", "none", "number", "string", "boolean", "true", "false", "mapping",
    "odd", "even", "in", "eq", "equalto", "==", "ne", "!=", "gt", ">", "ge", ">=", "lt", "<",
    "le", "<=", "greaterthan", "lessthan", "integer", "float",
)  # fmt: skip


class TemplateRefused(ValueError):
    """The template is too large, malformed, or asks for more than a reading needs."""


class TemplateFailed(ValueError):
    """The template is sound but this value does not fit it."""


class _Code(CodeGenerator):
    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:
        self.write("environment.bounded_join((")
        for part in node.nodes:
            self.visit(part, frame)
            self.write(", ")
        self.write("))")


class _Sandbox(ImmutableSandboxedEnvironment):
    code_generator_class = _Code
    bounded_join = staticmethod(bounded_join)
    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%"})

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        # Numbers only: '"a" * 10**9' and '"%999999999d" % 1' are how a template eats memory.
        for operand in (left, right):
            if not isinstance(operand, (int, float)) or abs(operand) >= MAX_NUMBER:
                raise SecurityError(f"{operator} needs two ordinary numbers")
        return self.binop_table[operator](left, right)

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:
        owner = getattr(__obj, "__self__", None)
        if isinstance(owner, str) and __obj.__name__ == "replace":
            return bounded_replace(owner, *args, **kwargs)
        return super().call(__context, __obj, *args, **kwargs)


def _environment() -> _Sandbox:
    sandbox = _Sandbox(autoescape=False)  # a plain value comes out, not a web page
    builtin = dict(sandbox.filters)
    sandbox.filters.clear()
    sandbox.filters.update({name: builtin[name] for name in _BUILTIN_FILTERS}, **FILTERS)
    tests = dict(sandbox.tests)
    sandbox.tests.clear()
    sandbox.tests.update({name: tests[name] for name in _TESTS})
    sandbox.globals.clear()
    sandbox.globals.update(FUNCTIONS)
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
    parts = _parts(tree)
    sets = [part for part in parts if isinstance(part, nodes.Assign)]
    names = {one.target.name for one in sets if isinstance(one.target, nodes.Name)}
    if len(names) < len(sets):
        raise TemplateRefused("template sets something other than names of its own")
    inside = 0
    for one in sets:
        below = _parts(one.node)
        inside += len(below)
        if any(isinstance(part, nodes.Name) and part.name in names for part in below):
            raise TemplateRefused("template sets a name from another that it has set")
    if inside * (len(parts) - inside) > MAX_PRODUCT:
        raise TemplateRefused("template sets and uses too much")


def _parts(tree: nodes.Node) -> list[nodes.Node]:
    """All nodes of a tree, each allowed where it stands."""
    pending, seen = [tree], []
    while pending:
        node = pending.pop()
        seen.append(node)
        if not isinstance(node, _NODES):
            raise TemplateRefused(f"template uses {type(node).__name__.lower()}: not allowed")
        if len(seen) > MAX_NODES:
            raise TemplateRefused(f"template has more than {MAX_NODES} parts")
        if isinstance(node, nodes.Name) and node.name in FUNCTIONS:
            raise TemplateRefused("template uses a function as a value")
        children = list(node.iter_child_nodes())
        if isinstance(node, nodes.Call):
            children = _called(node)
        pending.extend(children)
    return seen


def _called(node: nodes.Call) -> list[nodes.Node]:
    """What is left to be looked at of a call to something allowed."""
    function = node.node
    children = [child for child in node.iter_child_nodes() if child is not function]
    if isinstance(function, nodes.Name) and function.name in FUNCTIONS:
        return children
    if isinstance(function, nodes.Getattr) and function.attr in METHODS:
        return [*children, function.node]
    raise TemplateRefused("template uses call: not allowed")


def render(source: str | None, payload: bytes) -> str:
    """The value a template reads from a payload; the payload's own text when there is none.

    Raises:
        TemplateFailed: the payload is too large, not text, or does not fit the template.
        TemplateRefused: as ``compile_template``.
    """
    if len(payload) > MAX_VALUE_BYTES:
        raise TemplateFailed(f"payload is longer than {MAX_VALUE_BYTES} bytes")
    names = _names(payload)
    return names["value"] if source is None else _rendered(source, names)


def render_command(source: str, names: dict[str, object]) -> str:
    """A payload written by a command template.

    Args:
        names: what the template may use: ``value``, and what its platform gives beside it.

    Raises:
        TemplateFailed, TemplateRefused: as ``render``.
    """
    return _rendered(source, names)


@lru_cache(maxsize=4)
def _names(payload: bytes) -> dict[str, Any]:
    """What a value template may use. Remembered, for many things may read one message; templates
    cannot change it."""
    try:
        value = payload.decode()
    except UnicodeDecodeError as error:
        raise TemplateFailed("payload is not text") from error
    document = parse_json(payload)
    return {"value": value} if document is None else {"value": value, "value_json": document}


def _rendered(source: str, names: dict[str, Any]) -> str:
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
