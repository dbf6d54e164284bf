"""Words of lines that command nothing now: they deny, put off, join, report or ask. Pure.

A line that holds one of them is not explained by a name nobody knows, and nothing is moved by a
guess about it. Sentence templates come first: what one of them fits is not looked at here.
"""

from __future__ import annotations

from services.language.folding import fold

WORDS = frozenset({
    "not", "don't", "dont", "never", "no", "if", "unless", "when", "whenever", "once", "after",
    "before", "until", "till", "while", "tomorrow", "later", "tonight", "noon", "midnight",
    "sunset", "sunrise", "dark", "and", "or", "then", "but", "except", "instead", "why", "should",
    "shouldn't", "shouldnt", "how", "who", "whether", "wonder", "yesterday", "was", "were", "did",
    "used", "hate", "always", "forgot", "told", "said", "says", "wants", "monday", "tuesday",
    "wednesday", "thursday", "friday", "saturday", "sunday", "morning", "evening", "already",
    "turned", "opened", "locked", "unlocked",
})  # fmt: skip
"""English. Said of a timer or in a question they may be meant."""
LASTING = ("minutes", "hours", "seconds")
"""Nothing here is moved for a while."""
_ASKING = frozenset({
    "whose", "whom", "where", "which", "what", "does", "is", "are", "has", "had",
})  # fmt: skip
"""An English sentence that begins with these asks; so does one that begins with some of WORDS."""
_CUT_OFF = frozenset({"the", "my", "our", "a", "an", "to", "of", "for", "at", "with", "uh", "um"})
"""No English sentence ends with these."""
_CHINESE = (
    "不要", "不用", "别", "没有", "忘了", "说", "如果", "要是", "的时候", "以后", "之后", "明天",
    "昨天", "每天", "已经", "为什么", "怎么", "谁", "吗", "多久", "然后", "并且",
)  # fmt: skip


def commands_nothing_now(text: str, language: str) -> bool:
    """Whether a line that no template fits is no command with a wrong name in it."""
    if language.startswith("zh"):
        return any(part in text for part in _CHINESE)
    if language.partition("-")[0] != "en":
        return False
    words = fold(text).split()
    lasting = {form for unit in LASTING for form in (unit, unit[:-1])}
    return bool(
        words
        and (words[0] in _ASKING or words[-1] in _CUT_OFF or (WORDS | lasting).intersection(words))
    )
