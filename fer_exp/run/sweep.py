"""A sweep: one parent run in the tracker, with the runs of a multirun as its children.

Called by the command line around Hydra's own multirun. The same command again goes on with the same parent: what is
finished stays, what is half done goes on, what failed is tried again. It must not know how a run trains.
"""

import hashlib
import os
import re
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from filelock import FileLock, Timeout

from fer_exp.errors import ConfigError, SweepError
from fer_exp.options import config, fingerprint
from fer_exp.options.commandline import Jobs
from fer_exp.options.fingerprint import Identity
from fer_exp.process import Outcome, kernels
from fer_exp.record import registry
from fer_exp.reporting import terminal
from fer_exp.reporting.console import next_steps
from fer_exp.run import chain_report, leaderboard, owner
from fer_exp.signature import SHORT_ID
from fer_exp.tracking import Attempt, Run, Tracker

SWEPT_ENV = "FER_EXP_SWEPT"
_PATIENCE_SECONDS = 90.0  # for jobs of an earlier command, which end by themselves once that command is gone
_POLL_SECONDS = 1.0


@dataclass
class Sweep:
    """The sweep that is open.

    Attributes:
        tracker: Where its runs are.
        run: The parent run.
        monitor: Metric that ranks the children.
        outcomes: Of the jobs so far, for the launcher to fill.
    """

    tracker: Tracker
    run: Run
    monitor: str
    outcomes: list[Outcome] = field(default_factory=list)

    @property
    def run_id(self) -> str:
        """Id of the parent run."""
        return self.run.run_id

    def finished(self) -> dict[str, list[tuple[str, float]]]:
        """Returns the id and value of the finished children by the fingerprint of their configuration."""
        children = self.tracker.children(self.run_id)
        found: dict[str, list[tuple[str, float]]] = defaultdict(list)
        if not children.empty:
            done = children[children["status"] == "FINISHED"]
            values = done.get(f"best_{self.monitor}", pd.Series(np.nan, done.index))
            for identity, run_id, value in zip(done["fingerprint"], done["run_id"], values, strict=True):
                found[identity].append((run_id, float(value)))
        return found


_current: ContextVar[Sweep] = ContextVar("sweep")


def current() -> Sweep:
    """Returns the sweep that is open.

    Raises:
        ConfigError: If none is, because a configuration file asks for it and not the command line.
    """
    try:
        return _current.get()
    except LookupError:
        raise ConfigError(["A sweep must be asked for on the command line: -m, or hydra.mode=MULTIRUN."]) from None


def record(folder: Path, tags: Mapping[str, Any]) -> None:
    """Records files and tags on the parent run of the sweep that is open.

    Args:
        folder: Uploaded under its own name.
        tags: Short texts.
    """
    opened = current()
    opened.tracker.add_folder(opened.run_id, folder, folder.name)
    opened.run.set_tags(tags)


@contextmanager
def parent(jobs: Jobs) -> Iterator[None]:
    """Opens the parent run, or that of an earlier command for the same sweep; ends it with a leaderboard.

    Args:
        jobs: What the command line asks for.

    Raises:
        ConfigError: If an earlier command for the same sweep is still at work.
        SweepError: After all jobs, if one or more of them failed; a search knows itself how many may.
    """
    experiment, keys = jobs.first, jobs.swept_keys
    if experiment.resume not in ("auto", "never"):
        raise ConfigError([f"`resume` of a sweep must be auto or never. Received: resume={experiment.resume}."])
    if jobs.launcher is not None:
        config.build(jobs.launcher)  # what it needs must be there before anything is opened
    tracker: Tracker = config.build(experiment.tracking)
    identity = _identity(jobs)
    name = experiment.name or "sweep " + " x ".join(keys or ["single"])
    monitor = experiment.checkpoint.monitor
    tags = {"overrides": " ".join(jobs.overrides), "sweep": " ".join(keys), "monitor": monitor}
    tags["fingerprint"] = identity.fingerprint
    if experiment.registered_model is not None:
        tags[registry.TAG] = experiment.registered_model
    said: list[str] = []
    with (
        alone(identity.fingerprint, tracker.uri, experiment.cache_dir) if experiment.resume == "auto" else nullcontext()
    ):
        earlier = tracker.sweep(identity.fingerprint) if experiment.resume == "auto" else None
        if earlier is not None:
            require_nobody_at_work(tracker, earlier)
            print(f"Going on with sweep {earlier.run_id} ({earlier.name}); resume=never begins anew.", flush=True)
        elif experiment.resume == "auto" and (other := tracker.sweep(identity.by_other_kernels)):
            print(f"Sweep {other.run_id} has these jobs too, but {kernels.objection_to_other()}.", flush=True)
        known = earlier.run_id if earlier else None
        at_end = lambda run_id: said.append(finish(tracker, run_id))  # noqa: E731
        with tracker.parent(name, tags, known, at_end) as tracked, _swept(keys):
            opened = Sweep(tracker, tracked, monitor)
            token = _current.set(opened)
            try:
                yield
            finally:
                _current.reset(token)
                failed = [outcome for outcome in opened.outcomes if outcome.exit_code]
                tracked.set_tags({leaderboard.FAILED: "\n".join(_in_one_line(outcome) for outcome in failed)})
            if failed and jobs.search is None:
                raise failure(failed, len(opened.outcomes))
        print("".join(f"{line}\n" for line in said if line), end="", flush=True)
        _show(opened, keys)


def _show(opened: Sweep, keys: Sequence[str]) -> None:
    """Shows the leaderboard, and what a person may want to do next."""
    screen = terminal.opened()
    children = opened.tracker.children(opened.run_id)
    if not children.empty:
        screen.print(leaderboard.shown(children, opened.monitor, keys))
    steps = [("look at it in the browser", f"python -m fer_exp.ui --run {opened.run_id[:SHORT_ID]}")]
    if len(opened.outcomes) > 1:
        steps.insert(0, ("which is better, and is it more than chance?", f"python -m fer_exp.compare {opened.run_id}"))
    for line in next_steps(f"sweep {opened.run_id}", opened.tracker.uri, steps):
        screen.print(line, soft_wrap=True)


def _identity(jobs: Jobs) -> Identity:
    """Returns what two commands share if they ask for the same jobs, in whatever order they name them."""
    lasting = [
        o for o in jobs.overrides if re.split(r"[=./@]", o.lstrip("+~"))[0] not in (*fingerprint.VOLATILE, "hydra")
    ]
    searched = [] if jobs.search is None else [jobs.search.study_name, jobs.search.storage, dict(jobs.search.params)]
    return fingerprint.identity({**jobs.first.model_dump(), "sweep": sorted(lasting), "search": searched})


@contextmanager
def alone(identity: str, uri: str, cache_dir: str) -> Iterator[None]:
    """Keeps a second command for the same sweep out; the system frees the lock however the process ends.

    Args:
        identity: What two commands share if they ask for the same.
        uri: Of the tracker.
        cache_dir: As configured; locks lie in it, where nobody else may write.

    Raises:
        ConfigError: If another process on this host is at work on it.
    """
    key = hashlib.sha256(f"{identity} {uri}".encode()).hexdigest()[:16]
    lock = FileLock(owner.locks(cache_dir) / f"sweep-{key}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        message = (
            "The same sweep is at work in another process on this host. Wait for it, or begin anew with resume=never."
        )
        raise ConfigError([message]) from None
    try:
        yield
    finally:
        lock.release()


def require_nobody_at_work(tracker: Tracker, earlier: Attempt) -> None:
    """Waits for jobs that an earlier command left behind: they are about to end, and a second one must not begin.

    Args:
        tracker: Where the sweep is.
        earlier: Its run.

    Raises:
        ConfigError: If they do not end, or are at work on another host.
    """
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while at_work := _at_work(tracker, earlier.run_id):
        elsewhere = sorted({tags[owner.HOST] for tags in at_work if owner.state(tags) == "elsewhere"})
        where = f"on {', '.join(elsewhere)}" if elsewhere else f"as process {', '.join(t[owner.PID] for t in at_work)}"
        if elsewhere or time.monotonic() > deadline:
            raise ConfigError(
                [
                    f"Sweep {earlier.run_id} says that it is at work {where}. Wait for it, or begin anew with "
                    "resume=never. If nothing runs there any more, `python -m fer_exp.doctor runs --mark-killed` on "
                    "that host sets it right."
                ]
            )
        time.sleep(_POLL_SECONDS)


def _at_work(tracker: Tracker, run_id: str) -> list[Mapping[str, str]]:
    """Returns the tags of the sweep's runs, the parent among them, that are running for all one can see from here."""
    running = tracker.running()
    return [
        tags
        for found, tags in zip(running["run_id"], running["tags"], strict=True)
        if run_id in (found, tags.get("mlflow.parentRunId")) and owner.state(tags) in ("alive", "elsewhere")
    ]


@contextmanager
def _swept(keys: Sequence[str]) -> Iterator[None]:
    """Tells the jobs which keys are swept."""
    os.environ[SWEPT_ENV] = " ".join(keys)
    try:
        yield
    finally:
        del os.environ[SWEPT_ENV]


def finish(tracker: Tracker, parent_id: str) -> str:
    """Makes the leaderboard of whatever children there are, or the table of a chain; done again, it replaces itself.

    The best child is registered if the sweep asks for it; so is a run that is no sweep.

    Args:
        tracker: Where the parent is kept.
        parent_id: Its run; the tags say what ranks the children, which keys were swept, and which jobs failed.

    Returns:
        What became of the registration, for people; empty if none is asked for.

    Raises:
        TrackingError: If the server does not answer.
    """
    attempt = tracker.attempt(parent_id)
    if attempt is not None and chain_report.TAG in attempt.tags:
        chain_report.finish(tracker, attempt)
        return ""
    if attempt is None or not {"sweep", "monitor"} <= attempt.tags.keys():
        return registry.complete(tracker, parent_id)
    best = leaderboard.record(tracker, attempt)
    name = attempt.tags.get(registry.TAG)
    return registry.register(tracker, name, best) if name and best else ""


def failure(outcomes: Sequence[Outcome], of: int) -> SweepError:
    """Returns the error that tells of failed jobs.

    Args:
        outcomes: Of the jobs that failed, at least one.
        of: How many jobs there were.
    """
    codes = {outcome.exit_code for outcome in outcomes}
    lines = [f"job {o.number} ({o.name}): {o.error}" for o in outcomes]
    summary = (
        f"{len(outcomes)} of {of} jobs failed; the same command again runs them once more and leaves the others out."
    )
    return SweepError([*lines, summary], codes.pop() if len(codes) == 1 and min(codes) > 0 else 1)


def _in_one_line(outcome: Outcome) -> str:
    return f"job {outcome.number} ({outcome.name}): {outcome.error.splitlines()[0]}"
