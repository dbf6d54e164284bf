"""What commands nothing now is not taken for a command with a wrong name."""

from __future__ import annotations

import pytest

from services.evaluate.intents_home import Language, merged_home
from services.language.fast_path import FastPath
from services.language.not_now import commands_nothing_now


@pytest.mark.parametrize(
    "line",
    [
        "don't open the hatch", "turn on anything but the hatch", "he says the hatch is open",
        "open the hatch for ten minutes", "turn the hatch in the", "is the hatch open",
    ],
)  # fmt: skip
def test_denied_reported_put_off_and_unfinished_lines_command_nothing(line: str) -> None:
    assert commands_nothing_now(line, "en")


@pytest.mark.parametrize(
    "line", ["别打开舱门", "他说把舱门打开", "你打开舱门了吗", "十分钟以后打开舱门"]
)
def test_so_do_such_lines_in_chinese(line: str) -> None:
    assert commands_nothing_now(line, "zh-CN")


@pytest.mark.parametrize(
    ("line", "language"),
    [("open the hatch", "en"), ("把舱门打开", "zh-CN"), ("öffne die luke nicht", "de"), ("", "en")],
)
def test_plain_commands_and_other_languages_are_not_judged(line: str, language: str) -> None:
    assert not commands_nothing_now(line, language)


@pytest.mark.parametrize(
    ("language", "line", "why"),
    [
        ("en", "open the hatch", "no_device"),
        ("en", "stop opening the hatch", "not_understood"),
        ("en", "open the uh", "not_understood"),
        ("zh-CN", "打开舱门", "no_device"),
        ("zh-CN", "先别打开舱门", "not_understood"),
    ],
)
def test_a_miss_names_the_device_only_where_it_was_a_command(
    language: Language, line: str, why: str
) -> None:
    assert FastPath(language).understand(line, merged_home(language).view).miss == why
