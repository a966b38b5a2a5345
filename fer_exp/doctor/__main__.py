"""Looks for what is wrong and says so; mends it only when asked.

    python -m fer_exp.doctor runs                       runs that say RUNNING although their process is gone
    python -m fer_exp.doctor runs --mark-killed         give those the status KILLED
    python -m fer_exp.doctor runs --clean               remove what killed processes have left on the disk
    python -m fer_exp.doctor runs tracking.uri=http://127.0.0.1:5000

    python -m fer_exp.doctor data dataset=fer2013 dataset.path=fer2013.csv     copies, leaks, blank images, wrong labels
    python -m fer_exp.doctor data dataset=image_folder dataset.path=faces --only duplicates labels
    python -m fer_exp.doctor data dataset=fer2013 dataset.path=fer2013.csv --votes fer2013new.csv

Exits with 0 if all is well (or was mended), with 1 if something was found, with 2 or more for an error. `key=value` are
overrides as of `python -m fer_exp`.
"""

import argparse
from pathlib import Path

from fer_exp.doctor.sections import SECTIONS
from fer_exp.reporting import command, terminal


@command.framed
def main() -> int:
    """Runs the command line."""
    options = command.parsed(_parser())
    words = [*options.words, *(word for word in getattr(options, "only", ()) if "=" in word)]
    found = _runs(options, words) if options.patient == "runs" else _data(options, words)
    return 1 if found else 0


def _runs(options: argparse.Namespace, overrides: list[str]) -> bool:
    from fer_exp.doctor import runs

    return runs.runs(overrides, options.mark_killed, options.clean, terminal.opened()) > 0


def _data(options: argparse.Namespace, overrides: list[str]) -> bool:
    from fer_exp.doctor import data

    only = [word for word in options.only if "=" not in word]
    screen = terminal.opened(140)
    return data.run(overrides, only, options.votes, not options.no_log, screen)


def _parser() -> argparse.ArgumentParser:
    parser = command.parser("fer_exp.doctor", __doc__)
    parser.add_argument("patient", choices=("runs", "data"), help="what is examined")
    parser.add_argument("words", nargs="*", metavar="key=value", help="dataset=..., tracking.uri=...")
    of_runs = parser.add_argument_group("runs")
    of_runs.add_argument("--mark-killed", action="store_true", help="set those whose process is gone to KILLED")
    of_runs.add_argument("--clean", action="store_true", help="remove what killed processes have left on the disk")
    of_data = parser.add_argument_group("data")
    sections = ", ".join(SECTIONS)
    of_data.add_argument("--only", nargs="+", default=[], metavar="SECTION", help=f"of {sections}; all if not given")
    of_data.add_argument("--votes", type=Path, metavar="CSV", help="votes of FER+ (fer2013new.csv), joined by row")
    of_data.add_argument("--no-log", action="store_true", help="write files only, log nothing to MLflow")
    return parser


if __name__ == "__main__":
    main()
