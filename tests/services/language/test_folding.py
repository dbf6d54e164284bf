from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.language.folding import fold, name_form, plural, singular


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("The Café-Lampe", "cafe lampe"), ("my Lamp 2", "lamp two"), ("The", "the"),
        ("客厅 TV", "客厅 tv"), ("书房_空调", "书房 空调"), ("Лампа", "лампа"), ("✨", ""),
    ],
)  # fmt: skip
def test_case_accents_and_articles_do_not_matter(written: str, kept: str) -> None:
    assert fold(written) == kept


@pytest.mark.parametrize(
    ("one", "many"),
    [("kitchen light", "kitchen lights"), ("box", "boxes"), ("switch", "switches"), ("灯", "灯")],
)
def test_plurals_are_folded(one: str, many: str) -> None:
    assert plural(one) == many
    assert singular(many) == one


@given(st.text(max_size=40))
def test_folding_twice_changes_nothing(text: str) -> None:
    once = name_form(text)
    assert name_form(once) == once
