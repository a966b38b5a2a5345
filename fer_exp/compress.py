"""Compresses a finished run in stages: prune, distil, quantise, each a tracked run that goes on from the one before.

    python -m fer_exp.compress <run id>                                    half the multiply-adds, then int8
    python -m fer_exp.compress <run id> compression=prune_in_rounds        another chain: conf/compression/*.yaml
    python -m fer_exp.compress <run id> prune:pruning.ratio=0.7 distil:epochs=40
    python -m fer_exp.compress <run id> tracking.uri=http://127.0.0.1:5000 deterministic=true

Each stage has the configuration of the run that is compressed, then what the preset says, then what is said here:
`key=value` to all stages, `<stage>:key=value` to one. The same command again goes on where an earlier one ended. At the
end there is a table: stage, multiply-adds, parameters, accuracy, macro-F1, files.
"""

import argparse
import functools
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fer_exp import chain_report, commandline, compression, config, fingerprint, process, registry, store, sweep
from fer_exp.compression import Chain
from fer_exp.errors import ConfigError, SweepError, TrackingError, UserError
from fer_exp.process import Job, credentials
from fer_exp.process.reader import ends_with_reader
from fer_exp.reporting import terminal
from fer_exp.signature import run_id as checked_id
from fer_exp.sweep import Sweep
from fer_exp.tracking import Record, Tracker, finished_run


@ends_with_reader()
def main() -> None:
    """Runs the command line; exits with 0, with the code of a stage that failed, or 2 for a user's error."""
    parser = argparse.ArgumentParser(
        prog="python -m fer_exp.compress", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("id", metavar="RUN", help="the run that is compressed")
    parser.add_argument("overrides", nargs="*", metavar="key=value | stage:key=value", help="as of python -m fer_exp")
    options = parser.parse_args(credentials.arguments())
    signal.signal(signal.SIGTERM, _terminate)
    try:
        run(options.id, options.overrides, terminal.opened(160))
    except UserError as error:
        store.refuse(error)
    except KeyboardInterrupt:
        print("error: Interrupted.", file=sys.stderr)
        sys.exit(130)


def run(source_id: str, overrides: Sequence[str], screen: Console) -> str:
    """Runs the stages that have not finished yet, and shows the table.

    Args:
        source_id: Of the run that is compressed.
        overrides: As of the main program, some of them for one stage only; `compression=<preset>` chooses the chain.
        screen: Where the table goes.

    Returns:
        Id of the chain's run.

    Raises:
        UserError: If the source cannot be compressed (nothing is recorded then), or if a stage fails.
    """
    names = [word.partition("=")[2] for word in overrides if word.startswith("compression=")]
    rest = [word for word in overrides if not word.startswith("compression=")]
    tracker = store.existing([word for word in rest if word.startswith("tracking.")], [("RUN", source_id)])
    source = _source(tracker, source_id)
    chain = compression.plan(tracker, source, names[-1] if names else compression.DEFAULT, rest)
    tracker = config.build(chain.first.tracking)  # of the experiment that the source belongs to
    name = f"compress {source.name[:150]} by {chain.preset}"
    tags = {
        chain_report.TAG: chain.preset,
        chain_report.SOURCE: source.run_id,
        "overrides": " ".join(overrides) or "none",
        "fingerprint": chain.fingerprint,
    }
    with sweep.alone(chain.fingerprint, tracker.uri, chain.first.cache_dir):
        earlier = tracker.sweep(chain.fingerprint) if chain.first.resume == "auto" else None
        if earlier is not None:
            sweep.require_nobody_at_work(tracker, earlier)
            print(f"Going on with chain {earlier.run_id} ({earlier.name}); resume=never begins anew.", flush=True)
        at_end = functools.partial(sweep.finish, tracker)
        with tracker.parent(name, tags, earlier.run_id if earlier else None, at_end) as tracked:
            opened = Sweep(tracker, tracked, chain.first.checkpoint.monitor)
            runs: dict[str, str] = {}
            for number, stage in enumerate(chain.stages):
                previous = list(runs.values())[-1] if runs else source.run_id
                runs[stage.name] = _ended(opened, chain, number, previous)
                tracked.set_tags(chain_report.stage_tags(runs))
    _show(tracker, {**tags, **chain_report.stage_tags(runs)}, screen)
    if chain.registered_model is not None:  # also of a stage that had finished before anybody asked for it
        screen.print(Text(registry.register(tracker, chain.registered_model, list(runs.values())[-1])), soft_wrap=True)
    screen.print(
        Text(f"recorded on run {opened.run_id} in {tracker.uri}\nIs a difference more than chance? "
             f"python -m fer_exp.compare {opened.run_id}"),
        soft_wrap=True,
    )  # fmt: skip
    return opened.run_id


def _source(tracker: Tracker, source_id: str) -> Record:
    try:
        record = finished_run(tracker, checked_id(source_id), "RUN")
    except ValueError as error:
        raise ConfigError([f"`RUN` must be {error}. Received: {source_id}."]) from error
    if "sweep" in record.tags or chain_report.TAG in record.tags:
        raise ConfigError([f"`RUN` must be one training. Received: {source_id} ({record.name}): name one of its runs."])
    return record


def _ended(opened: Sweep, chain: Chain, number: int, previous: str) -> str:
    """Runs a stage in a process of its own, unless it has finished before, and returns the id of its run."""
    name, arguments = chain.stages[number].name, chain.arguments(number, previous)
    jobs = commandline.check(arguments)
    identity = fingerprint.of(jobs.first.model_dump()) if jobs else ""
    heading = f"stage {name} ({number + 1} of {len(chain.stages)})"
    done = opened.finished().get(identity)
    if done:
        print(f"{heading}: finished before as run {done[0][0]}, left out", flush=True)
        return done[0][0]
    print(f"{heading}: python -m fer_exp {' '.join(arguments)}", flush=True)
    outcome = process.run(Job(number, name, arguments, Path.cwd()), start_method="forkserver")
    if outcome.exit_code:
        again = "The same command again goes on with this stage; what has finished is left out."
        code = outcome.exit_code if outcome.exit_code > 0 else 1
        raise SweepError([f"stage {name}: {outcome.error}", again], code)
    done = opened.finished().get(identity)
    if not done:
        raise TrackingError(
            f"Stage {name} has ended, but its run has not arrived in {opened.tracker.uri} yet: python -m fer_exp.sync, "
            "then the same command again."
        )
    return done[0][0]


def _show(tracker: Tracker, tags: dict[str, str], screen: Console) -> None:
    for found in chain_report.shown(chain_report.table(tracker, tags)):
        shown = Table()
        for column in found:
            shown.add_column(str(column), justify="left" if column in ("stage", "file") else "right")
        for row in found.itertuples(index=False):
            shown.add_row(*map(str, row))
        screen.print(shown)


def _terminate(number: int, frame: FrameType | None) -> None:
    """Turns SIGTERM into an exception, so that the stage and the chain are closed as KILLED."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise SystemExit(128 + number)


if __name__ == "__main__":
    main()
