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
        "{% set a = value %}{{ a }}",
        "{% macro m() %}{% endmacro %}",
        "{% include 'passwd' %}",
        "{{ value | replace('a', 'aaaa') }}",
        "{{ '%s' | format(value) }}",
        "{{ 9 ** 9 ** 9 }}",
        "{{ value | tojson(indent=999999) }}",
        "{{ value | map('upper') }}",
        "{{ lipsum() }}",
        "{{ value[::2] }}",
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
    source = "{{ " + " ~ ".join(["(value | upper | lower)"] * 48) + " }}"
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
