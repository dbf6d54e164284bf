"""Foreign words, shown without markup."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.mcp.plain import MAX_CHARS, plain


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("# Today\n\n* **rain**, `12` degrees\n> later ~~sun~~",
         "Today\nrain, 12 degrees\nlater sun"),
        ("see [the map](http://x.example/a) ![icon](b.png)", "see the map icon"),
        ("<p>wet<br/> <!-- hidden --><script>run()</script></p>", "wet run()"),
        ("\x1b[2J\x1b]0;title\x07red\x1b[31m \x07alert\u202egnp", "red alertgnp"),
        ("2 < 3 and a_b * c", "2 < 3 and a_b * c"),
        ("", ""),
    ],
)  # fmt: skip
def test_words_stay_and_markup_goes(said: str, shown: str) -> None:
    assert plain(said) == shown


def test_a_long_answer_is_cut_and_says_so() -> None:
    shown = plain("word " * 4000)
    assert len(shown) < MAX_CHARS + 20
    assert shown.endswith("(cut)")


@given(st.text(max_size=200))
def test_nothing_that_moves_a_cursor_is_left(said: str) -> None:
    assert not any(unicodedata.category(c)[0] == "C" and c not in "\n\t" for c in plain(said))
