"""Names as they are compared: case, accents, articles and plurals must not matter."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from services.language.spoken import spoken

_ARTICLE = re.compile(r"^(the|my|our|a|an) (?=.)")
_APART = re.compile(r"[^\w']+")


def name_form(text: str) -> str:
    """How a name is kept: its spoken form, or where it is not in Latin letters, as it is written.

    ``Café-Lampe 2`` → ``cafe lampe two``, ``客厅 TV`` → ``客厅 tv``.
    """
    folded = _plain(_plain(text).casefold())
    if all(_is_latin(c) for c in folded if c.isalpha()):
        return spoken(folded)
    return " ".join(_APART.sub(" ", folded.replace("_", " ")).split())


def _plain(text: str) -> str:
    """Wide, bold and otherwise dressed letters as the letters they are."""
    return unicodedata.normalize("NFKC", text)


@lru_cache(maxsize=8192)
def fold(text: str) -> str:
    """A name without article, in its kept form."""
    return _ARTICLE.sub("", name_form(text))


@lru_cache(maxsize=8192)
def singular(text: str) -> str:
    """English plurals folded, word by word: ``kitchen lights`` → ``kitchen light``."""
    return " ".join(_singular(word) for word in text.split())


def plural(text: str) -> str:
    """``kitchen light`` → ``kitchen lights``; plurals stay."""
    head, _, last = text.rpartition(" ")
    if not last.isascii() or last.endswith("s"):
        return text
    ending = "es" if last.endswith(("x", "ch", "sh")) else "s"
    return f"{head} {last}{ending}".strip()


def _singular(word: str) -> str:
    if len(word) < 4 or not word.isascii() or not word.endswith("s") or word.endswith(("ss", "us")):
        return word
    return word[:-2] if word.endswith(("xes", "ches", "shes")) else word[:-1]


def _is_latin(letter: str) -> bool:
    return letter.isascii() or unicodedata.name(letter, "").startswith(
        ("LATIN", "MODIFIER LETTER", "FEMININE", "MASCULINE")
    )
