"""``linnet demo``: recorded people talk to a simulated home, and the outcome is judged.

Nothing is needed but this package and its model: the MQTT broker and the devices live in this
process, the microphone is a file played at real pace, the loudspeaker another file. Everything
that was started is stopped again; what stays are the replies, as WAV files.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from services.commands.common import UsageError
from services.demo.judge import Recogniser
from services.demo.performance import Performance
from services.demo.script import from_files, shipped
from services.demo.table import as_json, lines
from services.exit_codes import ExitCode
from services.models import load_model
from services.settings import Settings, with_family


def main(args: argparse.Namespace) -> int:
    """Play ``args.recordings``, or those that came along; OK when all went as it should.

    The settings file of this machine is not read: the demo is the same everywhere.

    Raises:
        AudioFileError: a recording cannot be used.
        BundleError, EngineError, BrokerError, UsageError: it cannot begin.
    """
    script = from_files(args.recordings) if args.recordings else shipped()
    recogniser = Recogniser()  # before the long part: it may not be installed
    _make(args.out)
    settings = with_family(Settings(), args.family)
    say = sys.stderr if args.json else sys.stdout
    print(f"loading the model ({settings.model.family})", file=say, flush=True)
    performance = Performance(script, args.out, recogniser, say)
    result = performance.run(settings, load_model(settings))
    if args.json:
        print(json.dumps(as_json(result)))
    else:
        print("\n" + "\n".join(lines(result)))
        print(f"the replies are in {args.out}/")
    return ExitCode.OK if result.ok else ExitCode.CHECK_FAILED


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--out {folder}: {error.strerror}; name a folder to write to") from error
