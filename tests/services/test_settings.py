"""Settings files, good and bad: what a wrong one says, and on which line."""

from __future__ import annotations

import re
import string
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.settings import Settings
from services.settings_file import MAX_BYTES, Problem, SettingsError, entries, parse, render
from services.toml_lines import key_lines, line_of


def problems(text: str) -> list[Problem]:
    with pytest.raises(SettingsError) as caught:
        parse(text, "linnet.toml")
    return list(caught.value.problems)


def test_an_empty_file_is_the_defaults() -> None:
    assert parse("", "f") == Settings()


def test_the_tree_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().wake.phrase = "alexa"  # type: ignore[misc]


def test_privacy_is_closed_by_default() -> None:
    assert not any(Settings().privacy.model_dump().values())


@pytest.mark.parametrize(
    ("text", "line", "key", "why"),
    [
        ("[wake]\nsensitivty = 1.0", 2, "wake.sensitivty", "did you mean wake.sensitivity?"),
        ("\n[mqt]\nhost = 'x'", 2, "mqt", "did you mean mqtt?"),
        ("phrase = 'alexa'", 1, "phrase", "did you mean wake.phrase?"),
        ("[mqtt]\npasword_file = 'x'", 2, "mqtt.pasword_file", "did you mean mqtt.password_file?"),
        ("[audio]\nzzz = 1", 2, "audio.zzz", "keys of [audio] are input, output"),
        ("[audio]\nport = 1", 2, "audio.port", "did you mean mqtt.port?"),
        ("zzz = 1", 1, "zzz", "tables are audio, wake"),
        ("[mqtt]\n# port\nport = 70000", 3, "mqtt.port", "less than or equal to 65535"),
        ("[mqtt]\nport = '1883'", 2, "mqtt.port", "valid integer"),
        ("mqtt.tls = 1", 1, "mqtt.tls", "valid boolean"),
        ("wake = 3", 1, "wake", "valid dictionary"),
        ("[mqtt]\nhost = 'h'\npassword_file = 'p'", 1, "mqtt", "without username"),
        ("[home]\nareas = { 'light.x' = 'Attic!' }", 2, "home.areas.light.x", "match pattern"),
        ("[wake]\nsensitivity = nan", 2, "wake.sensitivity", "finite number"),
    ],
)
def test_a_fault_names_its_key_line_and_reason(text: str, line: int, key: str, why: str) -> None:
    (problem,) = problems(text)
    assert (problem.line, problem.key) == (line, key)
    assert why in problem.why
    assert str(problem).startswith(f"linnet.toml:{line}: {key}")


def test_all_faults_are_told_at_once_in_the_order_of_the_file() -> None:
    found = problems("[log]\nlevel='loud'\n[audio]\nvolume=2\ncolour='red'\n")
    assert [p.key for p in found] == ["log.level", "audio.volume", "audio.colour"]


def test_the_value_of_an_unknown_key_is_not_repeated() -> None:
    """It may be a password that stands in the wrong place."""
    assert "hunter2" not in str(problems("[mqtt]\npassword = 'hunter2'")[0])


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"[wake\n", ":1: not TOML"),
        (b"[wake]\nphrase = 'alexa'\nphrase = 'alexa'\n", ":3: not TOML"),
        (b"[wake]\nphrase = \xff\n", ":2: is not UTF-8"),
        (b"#" * (MAX_BYTES + 1), "larger than 256 KiB"),
    ],
)
def test_a_file_that_is_no_settings_file(data: bytes, why: str, tmp_path: Path) -> None:
    path = tmp_path / "linnet.toml"
    path.write_bytes(data)
    with pytest.raises(SettingsError, match=re.escape(why)):
        Settings.load(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"none\.toml: cannot be read: No such file"):
        Settings.load(tmp_path / "none.toml")


def test_every_setting_has_a_doc() -> None:
    assert [entry.key for entry in entries(Settings()) if not entry.doc.endswith(".")] == []


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "linnet.toml"
    path.write_bytes(b"\xef\xbb\xbf[wake]\nsensitivity = 0.25\n")
    assert Settings.load(path).wake.sensitivity == 0.25


@given(
    st.fixed_dictionaries(
        {
            "wake": st.fixed_dictionaries({"sensitivity": st.floats(0, 1)}),
            "mqtt": st.fixed_dictionaries(
                {
                    "host": st.text(min_size=1, max_size=20),
                    "port": st.integers(1, 65535),
                    "username": st.none() | st.text(max_size=20),
                }
            ),
            "home": st.fixed_dictionaries(
                {
                    "areas": st.dictionaries(
                        st.text(max_size=8), st.text("abc '", min_size=1, max_size=8), max_size=3
                    )
                }
            ),
        }
    )
)
def test_what_is_rendered_is_read_back(tree: dict[str, Any]) -> None:
    settings = Settings.model_validate(tree)
    assert parse(render(settings), "f") == settings


def test_lines_of_every_form_a_key_can_take() -> None:
    text = (
        'a = """\n[no]\nb = 1\n"""  # c = 2\n'  # 1..4
        "'b c'.d = [\n  1, # ]\n  { e = 2 },\n]\n"  # 5..8
        '[t."x.y"]\n'  # 9
        'f = "\\"#["\n'  # 10
        "[[u]]\ng = '''\n'''\n"  # 11..13
        "h = { i = 1, j = 'k' }\n"  # 14
        '"q\\"\\u00e9" = 0'  # 15
    )
    lines = key_lines(text)
    assert lines == {
        ("a",): 1,
        ("b c", "d"): 5,
        ("t", "x.y"): 9,
        ("t", "x.y", "f"): 10,
        ("u",): 11,
        ("u", "g"): 12,
        ("u", "h"): 14,
        ("u", 'q"é'): 15,
    }
    assert line_of(lines, ("u", "h", "i")) == 14
    assert line_of(lines, ("nowhere",)) is None


KEYS = st.text(string.ascii_letters + string.digits + "_-", min_size=1, max_size=6)
VALUES = st.sampled_from(
    ["1", "true", '"x # = [ \\" y"', "'c:\\'", '"""\nq = 1\n"""', "[\n 1,\n 2,\n]", "{ z = 1 }"]
)


@given(st.dictionaries(KEYS, st.dictionaries(KEYS, VALUES, max_size=4), max_size=4))
def test_lines_follow_the_text(tables: dict[str, dict[str, str]]) -> None:
    text, expected = "", {}
    for table, rows in tables.items():
        expected[(table,)] = text.count("\n") + 1
        text += f"[{table}]\n"
        for key, value in rows.items():
            expected[(table, key)] = text.count("\n") + 1
            text += f"{key} = {value}  # note\n\n"
    assert key_lines(text) == expected


@pytest.mark.parametrize(("language", "known"), [("zh-CN", True), ("de", True), ("tlh", False)])
def test_a_home_speaks_a_language_that_has_sentences(language: str, known: bool) -> None:
    text = f'[home]\nlanguage = "{language}"\n'
    if known:
        assert parse(text, "f").home.language == language
    else:
        with pytest.raises(SettingsError, match="no sentences"):
            parse(text, "f")
