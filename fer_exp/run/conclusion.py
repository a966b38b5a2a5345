"""What follows a training: the temperature, the test split, the files for phones, the page; all of it recorded.

Called by `experiment` with a trained model. It is the only place that looks at the test split.
"""

import functools
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fer_exp.assessment import examine, learning, metrics, temperature
from fer_exp.assessment.learning import Finding
from fer_exp.data.inputs import Inputs, one
from fer_exp.dataset import Splits
from fer_exp.export import Exportable
from fer_exp.fit import assembly, fine_tuning, inference, training
from fer_exp.lite import publication
from fer_exp.process import is_job
from fer_exp.record import layout
from fer_exp.reporting import console, figure_writer, report, tables
from fer_exp.reporting.run_page import description, page
from fer_exp.reporting.run_page.contents import About
from fer_exp.run.reproduction import comparison
from fer_exp.run.reproduction.request import Source
from fer_exp.signature import SHORT_ID
from fer_exp.tracking import Run, Tracker

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Ended:
    """A training that has ended.

    Attributes:
        fit: The training.
        overrides: What the command line changed.
        splits: The data.
        trained: The kept weights, and how they came about.
        name: Of the run.
        tags: Of the run.
        began: When the run began, as `time.monotonic` tells.
        continued: Whether it continues an earlier attempt.
    """

    fit: assembly.Fit
    overrides: Sequence[str]
    splits: Splits
    trained: training.Trained
    name: str
    tags: Mapping[str, Any]
    began: float
    continued: bool

    def predict(self, inputs: Inputs) -> np.ndarray:
        """Returns probabilities float32 (n, classes) of rows (n, ...) of each input, as they are stored."""
        return inference.predict(self.trained.model, inputs, self.fit.experiment.batch_size)


def conclude(ended: Ended, tracker: Tracker, tracked: Run, source: Source | None) -> None:
    """Evaluates, exports, compares and records.

    Args:
        ended: The training.
        tracker: Where the run is.
        tracked: The run.
        source: The run that this one repeats, with whose numbers its own are compared.

    Raises:
        UserError: If the model cannot be exported as asked.
    """
    trained, screen = ended.trained, ended.fit.screen
    with figure_writer.beside():  # all are there before an export measures latencies, and the page shows them
        report.write_history(ended.fit.folder, trained.history, trained.stage_starts, trained.best_epoch)
        with console.waiting(screen, "evaluating on the test split, and drawing what it says"):
            heat = _calibrate(ended, tracked)
            (ended.fit.folder / layout.MODELS).mkdir(exist_ok=True)
            trained.model.save(ended.fit.folder / layout.MODEL)
            evaluation, examined = _evaluate(ended, heat, tracked)
        findings = _judge(ended, evaluation, tracked)
        with console.waiting(screen, "recording the model"):
            tracked.log_model(trained.model, ended.splits.specs)  # first: some models cannot be exported
    _export(ended, evaluation, tracked)
    if source is not None:
        found = comparison.compare(source, evaluation, ended.tags, tracked.numbers, ended.fit.experiment.model_dump())
        report.write_reproduction(ended.fit.folder, found.table())
        tracked.set_tags(found.tags())
        ended.fit.screen.print(comparison.terminal(found, f"against run {source.record.run_id}"))
        source.found.append(found)
    with console.waiting(ended.fit.screen, "writing the page of the run"):
        about = _about(ended, evaluation, tracker, tracked)
        tracked.log_text(page.write(ended.fit.folder, about), layout.PAGE)
        warnings = [finding.sentence for finding in findings]
        tracked.set_tags({"mlflow.note.content": description.text(about, warnings, tracked.numbers)})
    for name in layout.UPLOADED:
        if (ended.fit.folder / name).is_dir():
            tracked.log_folder(ended.fit.folder / name)
    rows = [("WARNING", finding.sentence) for finding in findings]
    ended.fit.screen.print(console.result_table([*rows, *_findings(ended, evaluation, examined)]))
    for line in console.next_steps(f"run {tracked.run_id}", tracker.uri, _steps(ended, tracked)):
        ended.fit.screen.print(line, soft_wrap=True)
    if source is not None:
        ended.fit.screen.print(source.found[0].sentence, highlight=False, markup=False, soft_wrap=True)


def _calibrate(ended: Ended, tracked: Run) -> float | None:
    """Puts a temperature into the kept model, if it is asked for, and returns it."""
    if not ended.fit.experiment.evaluation.temperature_scaling:
        return None
    val = ended.splits.development.val
    found = temperature.fit(metrics.evaluate(ended.predict(val.inputs), val.labels, ended.splits.class_names))
    temperature.put_into(ended.trained.model, found)
    tracked.log_metrics({"temperature": found})
    tracked.set_tags({"temperature": f"{found:.4f}, fitted on val and contained in the model"})
    return found


def _evaluate(ended: Ended, heat: float | None, tracked: Run) -> tuple[metrics.Evaluation, examine.Examined]:
    """Evaluates the kept weights, which hold the temperature, on the test split."""
    experiment, splits = ended.fit.experiment, ended.splits
    evaluation = metrics.evaluate(ended.predict(splits.test.inputs), splits.test.labels, splits.class_names)
    tracked.log_metrics(metrics.scalars(evaluation, "test"))
    report.write_evaluation(ended.fit.folder, evaluation, splits.test)
    if splits.test.sources is not None:
        of_sources = metrics.of_sources(evaluation, splits.test.sources, splits.source_names)
        tracked.log_metrics(metrics.scalars_of_sources(of_sources, "test"))
        report.write_sources(ended.fit.folder, of_sources)
    subject = examine.Subject(
        evaluation=evaluation,
        split=splits.test,
        name="test",
        before=None if heat is None else temperature.scaled(evaluation, 1 / heat),
        earlier={} if experiment.overfit_batches else {"train": splits.train, "val": splits.val},  # else all are one
        predict=ended.predict,
        model=ended.trained.model,
    )
    examined = examine.examine(subject, experiment.evaluation, ended.fit.folder, experiment.seed)
    tracked.log_metrics(examined.scalars)
    views = experiment.test_time_augmentation
    if views != "none":
        averaged = inference.predict_views(
            ended.trained.model, splits.test.inputs, splits.test.kinds, experiment.batch_size, views
        )
        over_views = metrics.evaluate(averaged, splits.test.labels, splits.class_names)
        tracked.log_metrics(metrics.scalars(over_views, f"test_{views}"))
    return evaluation, examined


def _judge(ended: Ended, evaluation: metrics.Evaluation, tracked: Run) -> list[Finding]:
    """Tells and notes if the training has diverged, or the model learned nothing; the run ends well all the same."""
    trained, whole = ended.trained, ended.fit.experiment.limit_batches is None
    found = learning.judge(trained.history, trained.best_epoch, evaluation, whole)
    for finding in found:
        _log.warning(finding.sentence)
    if found:
        told = " ".join(finding.sentence for finding in found)
        tracked.set_tags({"warning": f"{found[0].kind}: {told}"})
    return found


def _export(ended: Ended, evaluation: metrics.Evaluation, tracked: Run) -> None:
    experiment = ended.fit.experiment
    exportable = Exportable(
        model=ended.trained.model,
        splits=ended.splits,
        evaluation=evaluation,
        predict=ended.predict,
        seed=experiment.seed,
        fine_tune=functools.partial(fine_tuning.train, ended.fit),
        facts=publication.facts(experiment, ended.name, tracked.run_id, ended.overrides, ended.tags),
        console=ended.fit.screen,
    )
    publication.publish(experiment.export, exportable, ended.fit.folder, tracked)


def _about(ended: Ended, evaluation: metrics.Evaluation, tracker: Tracker, tracked: Run) -> About:
    return About(
        ended.name,
        tracked.run_id,
        tracker.uri,
        publication.commands(ended.overrides, tracked.run_id),
        publication.options(ended.fit.experiment),
        ended.tags,
        ended.splits,
        evaluation,
        (ended.trained.best_epoch, len(ended.trained.history)),
        time.monotonic() - ended.began,
        ended.continued,
    )


def _steps(ended: Ended, tracked: Run) -> list[tuple[str, str]]:
    """Returns what a person may want to do next, and the command; a job of a sweep leaves that to the sweep."""
    if is_job():
        return []
    run = tracked.run_id[:SHORT_ID]
    return [
        *_to_predict(ended, run),
        ("compare it with another run", f"python -m fer_exp.compare {run} <id of the other>"),
        ("look at it in the browser", f"python -m fer_exp.ui --run {run}"),
    ]


def _to_predict(ended: Ended, run: str) -> list[tuple[str, str]]:
    predicted = {"an image": ("predict a photograph", "photo.jpg"), "a clip": ("predict a video", "video.mp4")}
    kind = one(ended.splits.specs)
    if kind not in predicted:
        return []
    what, file = predicted[kind]
    return [(what, f"python -m fer_exp.predict {run} {file}")]


def _findings(ended: Ended, evaluation: metrics.Evaluation, examined: examine.Examined) -> list[tuple[str, str]]:
    trained, (low, high) = ended.trained, evaluation.accuracy_interval
    f1_low, f1_high = evaluation.macro_f1_interval
    rows = [
        ("kept epoch", f"{trained.best_epoch} of {len(trained.history)}, monitored value {trained.best_value:.4f}"),
        ("test accuracy", f"{evaluation.accuracy:.4f}  (95 % interval {low:.4f} - {high:.4f})"),
        ("test macro-F1", f"{evaluation.macro_f1:.4f}  (95 % interval {f1_low:.4f} - {f1_high:.4f})"),
    ]
    rows += examined.findings
    rows += [("confusion", sentence) for sentence in tables.describe_confusions(evaluation, most=3)]
    return [*rows, ("files", str(ended.fit.folder)), ("page", str(ended.fit.folder / layout.PAGE))]
