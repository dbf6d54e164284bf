"""How far an export is, said on a terminal and elsewhere."""

from __future__ import annotations

import io
import re
from contextlib import redirect_stderr

from model_export.commands.export import Progress


class Terminal(io.StringIO):
    """A terminal that keeps what was shown."""

    def isatty(self) -> bool:
        return True


def test_the_bar_fills_with_every_layer():
    lines = ["[1/3] tokenizer", "[2/3] lm", "tracing the graph"]
    for doing in ("calibrating", "writing"):
        lines += [f"{doing} layer {number} of 4" for number in (1, 2, 3, 4)]
    lines += ["writing the head", "[3/3] hift_decode"]
    with redirect_stderr(Terminal()) as shown:
        progress = Progress()
        for line in lines:
            progress(line)
        progress.end()
    seen = re.findall(r"([█░]{24}) +(\d+)% ([^\r]+)", shown.getvalue())
    assert [line.rstrip("\n") for _, _, line in seen] == lines
    percents = [int(percent) for _, percent, _ in seen]
    assert percents == [0, 33, 33, 33, 38, 42, 46, 50, 54, 58, 62, 62, 67]
    assert [bar.count("█") for bar, _, _ in seen][:5] == [0, 8, 8, 8, 9]


def test_an_export_that_stops_before_it_says_anything_leaves_no_empty_line():
    with redirect_stderr(Terminal()) as shown:
        Progress().end()
    assert shown.getvalue() == ""


def test_plain_lines_go_where_there_is_no_terminal():
    with redirect_stderr(io.StringIO()) as shown:
        Progress()("writing layer 1 of 4")
    assert shown.getvalue() == "writing layer 1 of 4\n"
