from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.language.number_reading import number_of, sum_of
from services.language.spoken import decimal_words, number_words


@given(st.integers(-999_999, 999_999))
def test_a_number_in_words_is_read_back(value: int) -> None:
    assert number_of(number_words(value)) == str(value)


@given(st.integers(-9_999, 9_999))
def test_tenths_in_words_are_read_back(tenths: int) -> None:
    read = number_of(decimal_words(tenths / 10))
    assert read is not None
    assert float(read) == tenths / 10


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("42", "42"), ("-3.5", "-3.5"), ("1,000", "1000"), ("forty-two", "42"),
        ("a hundred and five", "105"), ("two thousand and six", "2006"),
        ("", None), ("light", None), ("one one", None), ("twenty thirty", None), ("and", None),
        ("forty eleven", None), ("one point", None), ("1e9", None), ("ten million dollars", None),
        ("three point twenty", None), ("²", None),
    ],
)  # fmt: skip
def test_numbers_and_what_is_none(text: str, number: str | None) -> None:
    assert number_of(text) == number


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("twelve times three", ("12", "times", "3")),
        ("2 + 2", ("2", "plus", "2")),
        ("7-4", ("7", "minus", "4")),
        ("minus five plus two", ("-5", "plus", "2")),
        ("one hundred and five minus five", ("105", "minus", "5")),
        ("twenty percent of eighty", ("20", "percent_of", "80")),
        ("10 divided by 4", ("10", "divided_by", "4")),
        ("the capital of france", None), ("two plus", None), ("two plus two plus two", None),
        ("lamp times lamp", None),
    ],
)  # fmt: skip
def test_sums_of_two_numbers(text: str, read: tuple[str, str, str] | None) -> None:
    assert sum_of(text) == read


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    number_of(text)
    sum_of(text)
