"""The stages of a chain, each a run in a process of its own, and the table of what they came to.

Called by the command line of `compress`.
"""

import functools
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fer_exp import process
from fer_exp.compress import stages
from fer_exp.compress.stages import Chain
from fer_exp.errors import ConfigError, SweepError, TrackingError
from fer_exp.options import commandline, config, fingerprint
from fer_exp.process import Job
from fer_exp.record import registry, store
from fer_exp.run import chain_report, sweep
from fer_exp.run.sweep import Sweep
from fer_exp.signature import run_id as checked_id
from fer_exp.tracking import Record, Tracker, finished_run


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
    chain = stages.plan(tracker, source, names[-1] if names else stages.DEFAULT, rest)
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
