"""Value templates: those real devices send work, those an attacker sends cannot hurt."""

from __future__ import annotations

import contextlib
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.home.templates import (
    MAX_RESULT_CHARS,
    MAX_VALUE_BYTES,
    TemplateFailed,
    TemplateRefused,
    compile_template,
    render,
)


@pytest.mark.parametrize(
    ("source", "value", "expected"),
    [
        ('{{ value_json["state"] }}', {"state": "ON"}, "ON"),
        ("{{ value_json.a.b[1] }}", {"a": {"b": [1, 2]}}, "2"),
        ("{{ value_json.t | float | round(1) }}", {"t": "21.46"}, "21.5"),
        ("{{ (value_json.t * 9 / 5 + 32) | round }}", {"t": 20}, "68"),
        ("{{ 'ON' if value_json.p | int > 5 else 'OFF' }}", {"p": 7}, "ON"),
        ("{{ (value_json.o) | iif('yes', 'no') }}", {"o": False}, "no"),
        ("{% if value_json.x is defined %}{{ value_json.x }}{% else %}?{% endif %}", {}, "?"),
        ("{{ {'a': 'heating'}[value_json.m] }}", {"m": "a"}, "heating"),
        ("{{ value | upper | trim }}", "on", '"ON"'),
        ("{{ value_json.missing | default('none yet') }}", {}, "none yet"),
        (
            "{% set m = {None: None, 'heat': 'heating'} %}{{ m[value_json.s] }}",
            {"s": "heat"},
            "heating",
        ),
        ("{{ {0:'off', 1:'low'}[value_json.speed] | default('None') }}", {"speed": 1}, "low"),
        ("{{ value.split(',')[0] }}", "1,2", '"1'),
        ("{{ value_json.get('t', 0) | multiply(0.1) | round(1) }}", {"t": 215}, "21.5"),
        ("{{ '%.1f' | format(value_json.t) }}", {"t": 21.46}, "21.5"),
        ("{{ value_json.t | replace(',', '.') | float(0) + 1 }}", {"t": "20,5"}, "21.5"),
        ("{{ float(value_json.t) > 5 and is_number(value_json.t) }}", {"t": "7"}, "True"),
        (
            "{{ value_json.list | length }}-{{ value_json.list | join('/') }}",
            {"list": [1, 2]},
            "2-1/2",
        ),
        ("{{ value_json.o | to_json }}", {"o": {"a": 1}}, '{"a": 1}'),
        ("{{ value[1:3] }}", "abc", "ab"),
    ],
)
def test_templates_of_real_devices(source: str, value: object, expected: str) -> None:
    assert render(source, json.dumps(value).encode()) == expected


@pytest.mark.parametrize(
    "source",
    [
        "{% for i in range(10**9) %}x{% endfor %}",
        "{{ range(999999999) }}",
        "{{ value.__class__.__mro__() }}",
        "{% set a = value %}{% set b = a ~ a %}{{ b }}",
        "{% set a = [value, value] %}{% set a = [a, a] %}{{ a }}",
        "{% set a.b = 1 %}",
        "{% set a %}{{ value }}{% endset %}",
        "{% set a = [" + "value," * 60 + "] %}{{ a " + "~ a" * 60 + "}}",
        "{{ value.format(1) }}",
        "{{ value.encode() }}",
        "{{ int }}",
        "{{ [int][0] }}",
        "{% macro m() %}{% endmacro %}",
        "{% include 'passwd' %}",
        "{{ 9 ** 9 ** 9 }}",
        "{{ value | map('upper') }}",
        "{{ lipsum() }}",
        "{{ " + "(" * 900 + "1" + ")" * 900 + " }}",
        "{{ " + "not " * 1000 + "1 }}",
        "{{ " + "1 + " * 400 + "1 }}",
        "{{ unclosed",
        "x" * 5000,
    ],
)
def test_more_than_a_reading_needs_is_refused(source: str) -> None:
    with pytest.raises(TemplateRefused):
        compile_template(source)


@pytest.mark.parametrize(
    ("source", "payload"),
    [
        ("{{ 'a' * 999999999 }}", b"1"),
        ("{{ '%999999999d' % 1 }}", b"1"),
        ("{{ value_json * 2 }}", b"9" * 400),
        ("{{ value_json.a.b }}", b"not json"),
        ("{{ value | replace('a', 'b" + "b" * 400 + "') }}", b"a" * 9000),
        ("{{ value.replace('a', '" + "b" * 400 + "') }}", b"a" * 9000),
        ("{{ '%999999999d' | format(1) }}", b"1"),
        ("{{ value | to_json(indent=999999) }}", b"1"),
        ("{{ " + "([" * 20 + "value" + "] ~ '')" * 20 + " }}", b"\\" * 8000),
        ("{{ " + "(" * 25 + "value" + ".split(',') ~ '')" * 25 + " }}", b"," * 8000),
        ("{{ value" + " | to_json" * 40 + " }}", b'"\\"' * 800),
        ("{{ value_json | join('" + "b" * 4000 + "') }}", b"[" + b"1," * 4000 + b"1]"),
        ("{{ 1 / value_json }}", b"0"),
        ("{{ value_json | round(2, 'odd') }}", b"3"),
        ("{{ value }}", b"x" * (MAX_VALUE_BYTES + 1)),
        ("{{ value }}", b"\xff"),
        (None, b"\xff"),
    ],
)
def test_values_that_do_not_fit_fail_clearly(source: str | None, payload: bytes) -> None:
    with pytest.raises(TemplateFailed):
        render(source, payload)


def test_nothing_of_python_can_be_reached() -> None:
    for path in ("__class__", "format", "__init__.__globals__", "_x"):
        text = ""
        try:
            text = render("{{ value." + path + " }}", b"v")
        except TemplateFailed:
            continue
        assert "globals" not in text
        assert "<class" not in text


def test_the_largest_template_on_the_largest_value_is_quick_and_bounded() -> None:
    source = "{{ value | upper | lower }}" * 60
    payload = b"a" * MAX_VALUE_BYTES
    compile_template(source)
    began = time.process_time()
    assert len(render(source, payload)) == MAX_RESULT_CHARS
    assert time.process_time() - began < 0.5


PIECES = st.sampled_from(
    ["{{", "}}", "{%", "%}", " value ", " value_json ", ".", "[", "]", "(", ")", "|", "if", "else",
     "endif", "'a'", "1", "+", "*", "%", "~", "round", "int", "for", "in", "set", "is", "defined"]
)  # fmt: skip


@given(st.lists(PIECES, max_size=14), st.sampled_from([b"1", b"{}", b'"x"', b"[1]", b"null", b""]))
def test_any_template_on_any_value_renders_or_says_why(pieces: list[str], payload: bytes) -> None:
    with contextlib.suppress(TemplateRefused, TemplateFailed):
        assert len(render("".join(pieces), payload)) <= MAX_RESULT_CHARS
