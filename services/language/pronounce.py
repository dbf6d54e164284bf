"""How an English word may sound, by letter rules: for names that no dictionary holds.

Phones are the 39 of CMUdict, without stress. The longest rule that fits at a place is taken; a
rule may ask for the word's start or end, or for what follows. Good enough to let a recogniser
hear ``zigbee`` or ``ecobee``, not to speak them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

# "pattern phones": ^ is the start of the word, $ its end; lower-case letters are taken, what is
# in brackets must follow. V stands for a vowel letter, C for a consonant letter.
_RULES = """
^kn N|^gn N|^ps S|^wr R|^wh W|^x Z|^rh R|^mc M AH K|^pn N
tch CH|ch CH|sch SH|sh SH|ph F|th TH|ck K|dge JH|dg JH|gh G|ght T|ng$ NG|ng(k) NG|nk NG K|qu K W
ng NG G|ng(V) N JH|nge N JH|ings$ IH NG Z|ing$ IH NG
tion SH AH N|sion ZH AH N|ssion SH AH N|cian SH AH N|cious SH AH S|tious SH AH S|ture CH ER
cial SH AH L|tial SH AH L|ous$ AH S|ious$ IY AH S|age$ IH JH|able$ AH B AH L|ible$ AH B AH L
ce(C) S|ci S IH|ce S|ce$ S|cy S IY|c(e) S|c(i) S|c(y) S|cc(e) K S|cc(i) K S|cc K|c K
ge$ JH|g(e) JH|g(i) JH|g(y) JH|gg G|ge(C) JH EH|get G EH T|gi(v) G IH|gu(V) G|gue$ G|g G
bb B|b B|mb$ M|dd D|d D|ff F|f F|h HH|j JH|kk K|k K|ll L|l L|mm M|m M|nn N|n N|pp P|p P|q K
rr R|r R|ss S|s$ S|s S|tt T|t T|v V|w W|x K S|zz Z|z Z|y$ IY|^y Y|y(V) Y|y IH
sc(e) S|sc(i) S|sch S K|st(le) S
les$ AH L Z|le$ AH L|re$ ER|ed$ D|ted$ T AH D|ded$ D AH D|es$ Z|ses$ S IH Z|ees$ IY Z|ies$ IY Z
ee IY|ea IY|ead EH D|eau OW|eigh EY|ei IY|ey$ IY|ey EY|eu Y UW|ew UW|er$ ER|er ER|ear IH R|eer IH R
er(V) EH R|ere$ IH R|ers$ ER Z
ai EY|ay EY|au AO|aw AO|air EH R|are$ EH R|ar AA R|ar(V) EH R|arr EH R|all AO L|al(k) AO|augh AO
aught AO T|war W AO R|wa W AA|qua K W AA
oa OW|oo UW|ook UH K|ood UH D|oor AO R|ou AW|ough AO|ought AO T|ould UH D|our AW ER|ow OW|ow(n) AW
oi OY|oy OY|or AO R|or$ ER|ore$ AO R|oe$ OW|ors$ ER Z|wor W ER|o$ OW|os$ OW Z|old OW L D|oll OW L
igh AY|ight AY T|ie IY|ie$ IY|ied$ IY D|ir ER|ier$ IY ER|ind$ AY N D|ild$ AY L D|ia IY AH|io IY OW
ue UW|ui UW|ur ER|ure$ Y UH R|i$ IY|u$ UW|a$ AH|as$ AH Z|ye$ AY|uy AY|^un AH N|^re(C) R IY
^a(C) AH|^be(C) B IH|^de(C) D IH|^al(C) AE L|^an AE N|^ab AE B|^ad AE D|^am AE M|^as AE S|^at AE T
^ac AE K|^ar AA R
man$ M AH N|son$ S AH N|ton$ T AH N|en$ AH N|an$ AH N|on$ AH N|in$ IH N|al$ AH L|el$ AH L
ant$ AH N T|ent$ AH N T|ment$ M AH N T|ence$ AH N S|ance$ AH N S|ic$ IH K|ism$ IH Z AH M
er's$ ER Z|'s$ Z|s's$ S IH Z|berg$ B ER G|stein$ S T AY N|ski$ S K IY|sky$ S K IY
a(Ce$) EY|e(Ce$) IY|i(Ce$) AY|o(Ce$) OW|u(Ce$) UW|y(Ce$) AY|a(Ces$) EY|i(Ces$) AY|o(Ces$) OW
a(Ced$) EY|i(Ced$) AY|o(Ced$) OW|u(Ced$) UW|a(Cing$) EY|i(Cing$) AY|o(Cing$) OW|u(Cing$) UW
a(tion) EY|o(tion) OW|u(tion) UW|o(VC) OW|i(V) AY|u(CV) Y UW|a AE|e$|e EH|i IH|o AA|u AH|'
"""
_VOWELS, _CONSONANTS = "[aeiou]", "[b-df-hj-np-tv-xz]"


@lru_cache(maxsize=1)
def _rules() -> tuple[tuple[re.Pattern[str], int, tuple[str, ...]], ...]:
    """(pattern, letters taken, phones), the most particular first."""
    made = []
    for rule in _RULES.replace("\n", "|").split("|"):
        if not rule:
            continue
        text, *phones = rule.split()
        taken = len(re.sub(r"\(.*\)|[$^]", "", text))
        ahead = re.sub(r"\((.*)\)", r"(?=\1)", text).replace("V", _VOWELS).replace("C", _CONSONANTS)
        start = r"\A" if ahead.startswith("^") else ""
        made.append((len(text), re.compile(start + ahead.lstrip("^")), taken, tuple(phones)))
    made.sort(key=lambda m: -m[0])
    return tuple((pattern, taken, phones) for _, pattern, taken, phones in made)


def pronounce(word: str) -> tuple[str, ...]:
    """Phones of a lower-case word, never empty; letters no rule knows are silent."""
    phones: list[str] = []
    place = 0
    while place < len(word):
        place, said = _at(word, place)
        phones += said
    return tuple(phones) or ("AH",)


def _at(word: str, place: int) -> tuple[int, tuple[str, ...]]:
    for pattern, taken, phones in _rules():
        if pattern.pattern.startswith(r"\A"):
            if place == 0 and pattern.match(word):
                return taken, phones
        elif pattern.match(word, place):
            return place + taken, phones
    return place + 1, ()


def compound(word: str, known: Callable[[str], tuple[str, ...] | None]) -> tuple[str, ...]:
    """Phones of a word as two words of a dictionary (``eco`` + ``bee``) where it is, else by rule.

    ``known`` gives a dictionary word's phones, None for others. The evenest cut is taken.
    """
    cuts = sorted(range(3, len(word) - 2), key=lambda cut: abs(2 * cut - len(word)))
    for cut in cuts:
        first, second = known(word[:cut]), known(word[cut:])
        if first and second:
            return first + second
    return pronounce(word)
