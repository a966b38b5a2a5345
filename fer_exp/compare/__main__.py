"""Compares runs: which configuration is better, by how much, and whether that is more than chance.

    python -m fer_exp.compare <sweep>                           the runs of a sweep, by its parent's id
    python -m fer_exp.compare <run> <run> --baseline <run>      runs by their ids; what the others are compared with
    python -m fer_exp.compare <chain>                           what was compressed, and each stage of it
    python -m fer_exp.compare <sweep> --by model                only this parameter makes the groups
    python -m fer_exp.compare <sweep> --html page.html tracking.uri=http://127.0.0.1:5000

Runs that differ in nothing but seed and fold are replicates of one configuration. What is found is shown, written to
outputs/compare-<time>/, and logged: onto the sweep or chain if it is the only id, else onto a run of its own.
`key=value` are overrides as of `python -m fer_exp`.
"""

import argparse
from pathlib import Path

from fer_exp.reporting import command, terminal


@command.framed
def main() -> None:
    """Runs the command line; exits with 0, or 2 for a user's error."""
    options = command.parsed(_parser())
    words = [*options.id, *options.by]
    from fer_exp.compare import comparing

    comparing.run(
        [word for word in options.id if "=" not in word],
        [word for word in words if "=" in word],
        [word for word in options.by if "=" not in word],
        options.baseline,
        options.html,
        terminal.opened(160),
    )


def _parser() -> argparse.ArgumentParser:
    parser = command.parser("fer_exp.compare", __doc__)
    parser.add_argument(
        "id", nargs="*", metavar="id | key=value", help="a run, a sweep or chain by its parent run; tracking.uri=..."
    )
    parser.add_argument("--baseline", metavar="ID_OR_GROUP", help="run, sweep or group (A, B, ...); else the first")
    parser.add_argument("--by", nargs="+", default=[], metavar="KEY", help="parameters that alone make the groups")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write the page here too")
    return parser


if __name__ == "__main__":
    main()
