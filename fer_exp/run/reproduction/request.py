"""Which run is to be repeated, and the command line that does it.

Called by `__main__`. Everything that can be wrong with the request is found here, before TensorFlow is imported, except
for the data, which `experiment` reads. It must not know how a run trains.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fer_exp import __version__
from fer_exp.assessment.metrics import Evaluation
from fer_exp.data import input_files
from fer_exp.errors import ConfigError, DataError
from fer_exp.options import commandline, recorded_config
from fer_exp.options.fingerprint import VOLATILE
from fer_exp.process import temporary
from fer_exp.record import layout, store
from fer_exp.reporting.tables import read_predictions
from fer_exp.run.reproduction import WORD
from fer_exp.signature import run_id as checked_id
from fer_exp.tracking import Record, Tracker, finished_run

if TYPE_CHECKING:
    from fer_exp.run.reproduction.comparison import Comparison

_WITHOUT = (*(key for key in VOLATILE if key != "tracking"), "tracking.uri")
_FREE = "tracking.<key>=..., cache_dir=... and where its data are"


@dataclass(frozen=True)
class Source:
    """The run that is repeated.

    Attributes:
        record: What the store says of it.
        configuration: As it has recorded it, flattened, without what only says where things go.
        evaluation: Its predictions on the test split.
        overrides: The command line that repeats it.
        paths: Keys that say where its data are, for example `dataset.path`.
        notes: What had to be done to repeat it, a sentence each.
        found: What came of it; for `experiment` to fill.
    """

    record: Record
    configuration: Mapping[str, Any]
    evaluation: Evaluation
    overrides: tuple[str, ...]
    paths: tuple[str, ...] = ("dataset.path",)
    notes: tuple[str, ...] = ()
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
                f"which has {sha256[:16]}... Name the same data with {_named(self.paths)}."
                f"{_read_otherwise(self.record)}"
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
    tracker = store.existing([word for word in places if word.startswith("tracking.")], [(WORD, run_id)])
    record = _record(tracker, run_id)
    values = recorded_config.read(tracker, record)
    data = _data(values)
    _check_places(places, record, data)
    name = f"name={recorded_config.literal(f'reproduce {record.name}'[:200])}"
    try:
        overrides = [*recorded_config.as_overrides(values, _WITHOUT), name, "resume=never"]
        given = {word.partition("=")[0] for word in places}
        overrides = [word for word in overrides if word.partition("=")[0] not in given] + places
        gone = {key: path for key, path in data.items() if key not in given and _is_gone(path)}
        restored, notes = _restored(tracker, record, gone, overrides) if gone else ({}, ())
        overrides = [word for word in overrides if word.partition("=")[0] not in restored]
        overrides += [f"{key}={recorded_config.literal(path)}" for key, path in restored.items()]
        jobs = commandline.check(overrides)
    except ConfigError as error:
        raise ConfigError([*error.problems, *_advice(record, data, error.problems)]) from error
    if jobs is not None and jobs.first.option("strategy") == "multi_worker":
        raise ConfigError(
            [f"`{WORD}` must name a run of one process: {record.called} has strategy=multi_worker. Start it by its own "
             "command on every machine."]
        )  # fmt: skip
    paths = tuple(data)
    return Source(record, flat(values), _predictions(tracker, record), tuple(overrides), paths, notes)


def flat(values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a configuration with dotted keys, without those that only say where things are, or go."""
    return _flat(values, set(_data(values)))


def _flat(values: Mapping[str, Any], places: Collection[str], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in values.items():
        if key in VOLATILE or f"{prefix}{key}" in places:
            continue
        if isinstance(value, Mapping) and value:
            found |= _flat(value, places, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found


def _data(values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the keys of a configuration that say where its data are, and what they say."""
    dataset = values.get("dataset")
    found = input_files.options(dataset) if isinstance(dataset, Mapping) else {}
    return {f"dataset.{key}": path for key, path in found.items()}


def _divided(arguments: Sequence[str]) -> tuple[str, list[str]]:
    """Returns the id of the run, and the overrides that may stand beside it."""
    named = [word.partition("=")[2] for word in arguments if word.partition("=")[0] == WORD]
    others = [word for word in arguments if word.partition("=")[0] != WORD]
    sweeping = [word for word in others if word in ("-m", "--multirun")]
    if sweeping:
        raise ConfigError([f"`{WORD}` repeats one run: leave out {sweeping[0]}. Received: {' '.join(arguments)}."])
    strangers = [w for w in others if not (w.startswith(("tracking.", "dataset.", "cache_dir=")) and "=" in w)]
    if strangers:
        _refuse(strangers, f"{_FREE} (dataset.path=..., say)")
    try:
        (word,) = named
        return checked_id(word), others
    except ValueError as error:
        received = " ".join(f"{WORD}={word}" for word in named)
        rule = "must be the id of one run (32 hex digits, or the first 8)"
        raise ConfigError([f"`{WORD}` {rule}. Received: {received}."]) from error


def _check_places(places: Sequence[str], record: Record, data: Collection[str]) -> None:
    """Refuses options of the data set that say more than where its files are; the digest guards what is in them."""
    strangers = [w for w in places if w.startswith("dataset.") and w.partition("=")[0] not in data]
    if strangers:
        _refuse(strangers, f"{_FREE} ({_named(data)})" if data else f"{_FREE} (run {record.called} reads no file)")


def _refuse(strangers: Sequence[str], free: str) -> None:
    raise ConfigError(
        [f"`{WORD}` takes the configuration of the run; beside it only {free} may be given. "
         f"Received: {' '.join(strangers)}."]
    )  # fmt: skip


def _named(paths: Collection[str]) -> str:
    return " ".join(f"{key}=<path>" for key in paths)


def _is_gone(path: Any) -> bool:
    return isinstance(path, str) and not Path(path).expanduser().exists()


def _restored(
    tracker: Tracker, record: Record, gone: Mapping[str, str], overrides: Sequence[str]
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Returns where those files that the run has kept are now, by key, and a sentence on each."""
    cache_dir = commandline.composed(overrides)["cache_dir"]
    folder = Path(cache_dir).expanduser().absolute() / "kept_files" / record.run_id
    found, notes = {}, []
    for key, path in gone.items():
        name = input_files.kept_as(key.removeprefix("dataset."))
        if name is None:
            continue
        folder.mkdir(parents=True, exist_ok=True)
        file = tracker.download(record.run_id, f"config/{name}", folder)
        if file is not None and file.stat().st_size <= input_files.MOST_BYTES:
            found[key] = str(file)
            notes.append(f"{key}: {path} is gone; the copy that run {record.called} has kept is taken: {file}")
    return found, tuple(notes)


def _record(tracker: Tracker, run_id: str) -> Record:
    record = finished_run(tracker, run_id, WORD)
    if "sweep" in record.tags:
        raise ConfigError([f"`{WORD}` must be one training. Received: {record.called}: name one of its runs."])
    return record


def _predictions(tracker: Tracker, record: Record) -> Evaluation:
    with temporary.folder("reproduce") as folder:
        file = tracker.download(record.run_id, layout.PREDICTIONS, folder)
        if file is None:
            raise ConfigError(
                [f"`{WORD}` must be a run with {layout.PREDICTIONS}. Received: {record.called}, without."]
            )
        try:
            return read_predictions(file)
        except ValueError as error:
            reason = " ".join(str(error).split())
            raise ConfigError([f"{layout.PREDICTIONS} of run {record.called} cannot be read: {reason}."]) from error


def _read_otherwise(record: Record) -> str:
    """Returns what to do if the data are the same files, of which another version has read more or fewer."""
    commit = record.tags.get("git_commit", "none").removesuffix("-dirty")
    if commit == "none":
        return ""
    return (
        f" If they are the same files, they were read otherwise by commit {commit}: check that out to run it as it was."
    )


def _advice(record: Record, data: Collection[str], problems: Sequence[str]) -> list[str]:
    """Returns what to do about a configuration that is refused: a sentence, or none if the problems say it all."""
    if all("an existing path" in problem for problem in problems):
        is_data = any(problem.startswith(f"`{key}`") for problem in problems for key in data)
        return [f"If data of run {record.called} have moved, say where they are: {_named(data)}."] if is_data else []
    commit = record.tags.get("git_commit", "none").removesuffix("-dirty")
    where = f"by commit {commit}" if commit != "none" else "by a version that it does not name"
    return [
        f"So run {record.called} cannot be repeated by fer_exp {__version__}: it was recorded {where}. Check that "
        "out to run it as it was."
    ]
