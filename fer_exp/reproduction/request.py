"""Which run is to be repeated, and the command line that does it.

Called by `__main__`. Everything that can be wrong with the request is found here, before TensorFlow is imported, except
for the data, which `experiment` reads. It must not know how a run trains.
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fer_exp import __version__, commandline, recorded_config, store
from fer_exp.errors import ConfigError, DataError
from fer_exp.fingerprint import VOLATILE
from fer_exp.metrics import Evaluation
from fer_exp.reporting.tables import read_predictions
from fer_exp.reproduction import WORD
from fer_exp.signature import run_id as checked_id
from fer_exp.tracking import Record, Tracker, finished_run

if TYPE_CHECKING:
    from fer_exp.reproduction.comparison import Comparison

_PREDICTIONS = "tables/predictions.csv"
_WITHOUT = (*(key for key in VOLATILE if key != "tracking"), "tracking.uri")
_FREE = "tracking.<key>=..., dataset.path=... and cache_dir=..."


@dataclass(frozen=True)
class Source:
    """The run that is repeated.

    Attributes:
        record: What the store says of it.
        configuration: As it has recorded it, flattened, without what only says where things go.
        evaluation: Its predictions on the test split.
        overrides: The command line that repeats it.
        found: What came of it; for `experiment` to fill.
    """

    record: Record
    configuration: Mapping[str, Any]
    evaluation: Evaluation
    overrides: tuple[str, ...]
    found: "list[Comparison]" = field(default_factory=list)

    def check_data(self, sha256: str, source: str) -> None:
        """Refuses data that are not those of the run.

        Args:
            sha256: Of the data that were read.
            source: Where they are.

        Raises:
            DataError: If they have another digest.
        """
        known = self.record.tags.get("data_sha256", "none")
        if sha256 != known:
            raise DataError(
                f"The data must be those of run {self.record.called}, with SHA-256 {known[:16]}... Received: {source}, "
                f"which has {sha256[:16]}... Name the same data with dataset.path=<path>."
            )

    @property
    def exit_code(self) -> int:
        """0 if the numbers agree, 1 if not."""
        return 0 if self.found and self.found[0].agrees else 1


def read(arguments: Sequence[str]) -> Source:
    """Finds the run that a command line asks for, and writes the command line that repeats it.

    Args:
        arguments: `reproduce=<run id>`, and overrides that say where things are.

    Raises:
        ConfigError: If there is no such run, it cannot be repeated, or more is asked for than to repeat it.
        TrackingError: If there is no store of runs.
    """
    run_id, places = _divided(arguments)
    tracker = store.existing([word for word in places if word.startswith("tracking.")])
    record = _record(tracker, run_id)
    values = recorded_config.read(tracker, record)
    name = f"name={recorded_config.literal(f'reproduce {record.name}'[:200])}"
    try:
        overrides = [*recorded_config.as_overrides(values, _WITHOUT), name, "resume=never"]
        given = {word.partition("=")[0] for word in places}
        overrides = [word for word in overrides if word.partition("=")[0] not in given] + places
        jobs = commandline.check(overrides)
    except ConfigError as error:
        has_moved = all("an existing path" in problem for problem in error.problems)
        raise ConfigError([*error.problems, *([] if has_moved else [_advice(record)])]) from error
    if jobs is not None and jobs.first.option("strategy") == "multi_worker":
        raise ConfigError(
            [f"`{WORD}` must name a run of one process: {record.called} has strategy=multi_worker. Start it by its own "
             "command on every machine."]
        )  # fmt: skip
    return Source(record, flat(values), _predictions(tracker, record), tuple(overrides))


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Returns a configuration with dotted keys, without those that only say where things go."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        if key in VOLATILE or f"{prefix}{key}" == "dataset.path":
            continue
        if isinstance(value, Mapping) and value:
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found


def _divided(arguments: Sequence[str]) -> tuple[str, list[str]]:
    """Returns the id of the run, and the overrides that may stand beside it."""
    named = [word.partition("=")[2] for word in arguments if word.partition("=")[0] == WORD]
    others = [word for word in arguments if word.partition("=")[0] != WORD]
    sweeping = [word for word in others if word in ("-m", "--multirun")]
    if sweeping:
        raise ConfigError([f"`{WORD}` repeats one run: leave out {sweeping[0]}. Received: {' '.join(arguments)}."])
    strangers = [w for w in others if not (w.startswith(("tracking.", "dataset.path=", "cache_dir=")) and "=" in w)]
    if strangers:
        raise ConfigError(
            [f"`{WORD}` takes the configuration of the run; beside it only {_FREE} may be given. "
             f"Received: {' '.join(strangers)}."]
        )  # fmt: skip
    try:
        (word,) = named
        return checked_id(word), others
    except ValueError as error:
        received = " ".join(f"{WORD}={word}" for word in named)
        raise ConfigError([f"`{WORD}` must be the id of one run (32 hex digits). Received: {received}."]) from error


def _record(tracker: Tracker, run_id: str) -> Record:
    record = finished_run(tracker, run_id, WORD)
    if "sweep" in record.tags:
        raise ConfigError([f"`{WORD}` must be one training. Received: {record.called}: name one of its runs."])
    return record


def _predictions(tracker: Tracker, record: Record) -> Evaluation:
    with tempfile.TemporaryDirectory(prefix="fer_exp-reproduce-") as folder:
        file = tracker.download(record.run_id, _PREDICTIONS, Path(folder))
        if file is None:
            raise ConfigError([f"`{WORD}` must be a run with {_PREDICTIONS}. Received: {record.called}, without."])
        try:
            return read_predictions(file)
        except ValueError as error:
            reason = " ".join(str(error).split())
            raise ConfigError([f"{_PREDICTIONS} of run {record.called} cannot be read: {reason}."]) from error


def _advice(record: Record) -> str:
    commit = record.tags.get("git_commit", "none").removesuffix("-dirty")
    where = f"by commit {commit}" if commit != "none" else "by a version that it does not name"
    return (
        f"So run {record.called} cannot be repeated by fer_exp {__version__}: it was recorded {where}. Check that "
        "out to run it as it was."
    )
