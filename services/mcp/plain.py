"""What a foreign tool says, as plain text for a terminal or a voice: no markup, no control codes.

It is only ever shown. Pure, and linear in the length of the text.
"""

from __future__ import annotations

import re
import unicodedata

MAX_CHARS = 2000
"""Of what is shown; the rest is left out, and that is said."""
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]{0,32}[ -/]{0,8}[@-~]|\][^\x07\x1b]{0,2000}(?:\x07|\x1b\\)?)?")
_TAG = re.compile(r"</?[A-Za-z!][^<>]{0,500}>")
_LINK = re.compile(r"!?\[([^\[\]\n]{0,500})\]\([^()\s]{0,1000}\)")
_LINE_START = re.compile(r"^[ \t]{0,8}(?:#{1,6}[ \t]+|>[ \t]?|[-*+][ \t]+|```[^\n]{0,40})", re.M)
_EMPHASIS = re.compile(r"\*{1,3}(?=\S)|(?<=\S)\*{1,3}|`{1,3}|~~|__")
_BLANK = re.compile(r"\s*\n\s*")


def plain(text: str) -> str:
    """The words of a text, its lines kept; cut after ``MAX_CHARS``."""
    text = _ESCAPE.sub("", text)
    text = "".join(c for c in text if c in "\n\t" or unicodedata.category(c)[0] != "C")
    for mark, words in ((_TAG, ""), (_LINK, r"\1"), (_LINE_START, ""), (_EMPHASIS, "")):
        text = mark.sub(words, text)
    text = _BLANK.sub("\n", text).strip()
    return text if len(text) <= MAX_CHARS else text[:MAX_CHARS].rstrip() + " … (cut)"
