"""One run, top to bottom: reads like a table of contents.

Called by the command line with a checked configuration. TensorFlow and MLflow are imported here, not before.
"""

import contextlib
import functools
import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf
from omegaconf import OmegaConf
from rich.console import Console
from rich.text import Text

from fer_exp.assessment import temperature
from fer_exp.data import input_files, loading, shown
from fer_exp.data.inputs import one
from fer_exp.dataset import Development, Splits
from fer_exp.distillation import Distillation
from fer_exp.fit import assembly, pipeline, resume, teacher, training, workers
from fer_exp.fit.assembly import Fit
from fer_exp.options import config, fingerprint
from fer_exp.process import kernels, temporary
from fer_exp.record import layout, names, registry
from fer_exp.reporting import console, data_table, figure_writer, report, terminal
from fer_exp.run import provenance
from fer_exp.run.conclusion import Ended, conclude
from fer_exp.run.hparams import trial
from fer_exp.run.hparams.trial import TrialPruned
from fer_exp.run.reproduction.request import Source
from fer_exp.tracking import Run, Tracker


def run(
    experiment: config.Experiment,
    overrides: Sequence[str],
    folder: Path,
    source: Source | None = None,
    screen: Console | None = None,
    splits: Splits | None = None,
) -> float:
    """Trains, evaluates, exports and logs.

    Args:
        experiment: The checked configuration.
        overrides: What the command line changed, for example `lr=1e-4`.
        folder: Where the run's files go.
        source: The run that this one repeats, with whose numbers its own are compared.
        screen: Where people read, the configuration standing there already; None makes one.
        splits: The data, if they were read before this was imported.

    Returns:
        The monitored metric at the kept epoch, which is what a sweep selects by; of a trial that a search pruned, at
        the epoch it was stopped after.

    Raises:
        UserError: If something outside the code is wrong; nothing is recorded if it is found before the training.
    """
    began, values = time.monotonic(), experiment.model_dump()
    screen = screen or console.opened(values)
    figure_writer.start()
    if splits is None:
        with console.waiting(screen, f"reading the data set {experiment.option('dataset')}"):
            splits = loading.load(experiment)
    development = splits.development  # whatever trains is handed this: the test split is out of its reach
    if source is not None:
        source.check_data(splits.sha256, splits.source)
        for note in source.notes:
            screen.print(note, highlight=False, markup=False, soft_wrap=True)
    screen.print(data_table.data_table(splits))
    names.tell("classes", splits.class_names)
    names.tell("sources", splits.source_names)
    with console.waiting(screen, "opening the store of runs"):
        tracker: Tracker = config.build(experiment.tracking)
    strategy = assembly.prepare(experiment)
    identity = fingerprint.identity(values)
    workers.check_alike(strategy, f"{identity.fingerprint} {splits.sha256}")
    with console.waiting(screen, f"building the model {experiment.option('model')}"):
        parts = _taught(experiment, tracker, development, strategy, _assembled(experiment, development, strategy))
    screen.print(
        f"{parts.model.count_params():,} parameters, {parts.multiply_adds / 1e6:.1f} M multiply-adds "
        f"{one(splits.specs)}, "
        f"first weights: {parts.weights_origin}\n"
        f"computing in {parts.precision} ({parts.precision_reason}), with {kernels.chosen()}'s kernels on the CPU",
        highlight=False,
    )
    if parts.inherited:
        screen.print(parts.inherited.summary, highlight=False, markup=False, soft_wrap=True)
    say = functools.partial(screen.print, soft_wrap=True, highlight=False, markup=False)
    with resume.chosen(experiment.resume, tracker, identity, splits.sha256, folder, say) as choice:
        if choice.finished:
            training.forget(choice.folder)  # which the process that finished it did not live to do
            return choice.finished.metrics.get(f"best_{experiment.checkpoint.monitor}", math.nan)  # NaN: it was pruned
        name = experiment.name or provenance.run_name(experiment, overrides)
        tags = {
            **provenance.tags(overrides, splits, parts),
            "fingerprint": identity.fingerprint,
            "folder": choice.folder.absolute(),
            **({"reproduces": source.record.run_id} if source else {}),
        }
        folder = choice.folder
        registers = experiment.registered_model is not None and "FER_EXP_SWEPT" not in os.environ  # a sweep: its best
        said: list[str] = []
        at_end = (lambda run_id: said.append(registry.complete(tracker, run_id))) if registers else None
        opened = tracker.run(name, provenance.flatten(values), tags, choice.run_id, folder, at_end)
        with opened as tracked, _recorded(screen, tracked):
            say(Text(f"run {tracked.run_id} ({name})"))
            tracked.log_data(splits)
            _log_teacher(parts, development, tracked, screen)
            _write_config(folder, values, overrides, tracked)
            if parts.inherited and parts.inherited.table is not None:
                report.write_pruning(folder, parts.inherited.table)
            try:
                key = f"{identity.fingerprint} {splits.sha256}"
                fit = Fit(experiment, development, strategy, parts, screen, folder)
                trained = _train(fit, tracked, key)
            except TrialPruned as pruned:
                tracked.set_tags({"pruned": f"after epoch {pruned.epoch}"})
                screen.print(f"pruned after epoch {pruned.epoch}: other trials of the search were better by then")
                training.forget(folder)
                return pruned.value
            ended = Ended(fit, overrides, splits, trained, name, tags, began, continued=choice.run_id is not None)
            conclude(ended, tracker, tracked, source)
            if registers:
                tracked.set_tags({registry.TAG: experiment.registered_model})
        if registers:
            say(
                "\n".join(said)
                or f"Not yet registered as {experiment.registered_model}: `fer_exp.sync` makes up for it."
            )
        training.forget(choice.folder)  # what is FINISHED is not continued, and a sweep's snapshots would fill the disk
    return trained.best_value


def follow(experiment: config.Experiment) -> None:
    """Trains beside the chief of a cluster, which alone evaluates, exports and keeps the records.

    Args:
        experiment: The checked configuration, the same as the chief's.

    Raises:
        UserError: If something outside the code is wrong.
    """
    splits = loading.load(experiment).development
    strategy = assembly.prepare(experiment)
    workers.check_alike(strategy, f"{fingerprint.of(experiment.model_dump())} {splits.sha256}")
    parts = _assembled(experiment, splits, strategy)
    with temporary.folder("follower") as folder:
        fit = Fit(experiment, splits, strategy, parts, terminal.opened(quiet=True), folder)
        training.train(fit, "", lambda *_: None)


def _assembled(
    experiment: config.Experiment, splits: Development, strategy: tf.distribute.Strategy
) -> assembly.Assembled:
    parts = assembly.assemble(experiment, splits, strategy)
    if experiment.evaluation.temperature_scaling:
        temperature.check(parts.model)
    return parts


def _taught(
    experiment: config.Experiment,
    tracker: Tracker,
    splits: Development,
    strategy: tf.distribute.Strategy,
    parts: assembly.Assembled,
) -> assembly.Assembled:
    plan: Distillation | None = config.build(experiment.distillation)
    if plan is None:
        return parts
    with strategy.scope():
        return parts.taught_by(teacher.load(plan, tracker, splits, (experiment.folds, experiment.fold)))


def _log_teacher(parts: assembly.Assembled, splits: Development, tracked: Run, screen: Console) -> None:
    if parts.teacher is not None:
        found = teacher.measures(parts.teacher, splits.val, splits.class_names)
        tracked.log_metrics(found)
        runs = " and ".join(parts.teacher.runs)
        accuracy = found["teacher/val_accuracy"]
        screen.print(f"taught by {runs}, validation accuracy {accuracy:.4f}", highlight=False, soft_wrap=True)


@contextlib.contextmanager
def _recorded(screen: Console, tracked: Run) -> Iterator[None]:
    """Records what a person saw, however the run ends: the last lines tell most about a failure."""
    try:
        yield
    finally:
        tracked.log_text(screen.export_text(clear=False), layout.CONSOLE)


def _write_config(folder: Path, values: Mapping[str, Any], overrides: Sequence[str], tracked: Run) -> None:
    target = folder / layout.CONFIG
    target.mkdir(parents=True, exist_ok=True)
    dataset = input_files.absolute(values["dataset"])  # so that the run is repeated from any working directory
    OmegaConf.save(OmegaConf.create({**values, "dataset": dataset}), folder / layout.RESOLVED)
    input_files.keep(dataset, target)
    OmegaConf.save(OmegaConf.create(list(overrides)), folder / layout.OVERRIDES)
    tracked.log_folder(target)


def _train(fit: Fit, tracked: Run, key: str) -> training.Trained:
    data, experiment = fit.data, fit.experiment
    sample, labels = pipeline.augmented_sample(data.train, fit.parts.augment, fit.classes, experiment.seed)
    log_epoch = trial.watched(tracked.log_metrics, experiment.checkpoint.monitor, experiment.epochs)
    with figure_writer.beside():
        report.write_samples(fit.folder, shown.pictures(sample, data.specs), labels, data.class_names)
        trained = training.train(fit, key, log_epoch)
    tracked.log_metrics({"best_epoch": trained.best_epoch, f"best_{experiment.checkpoint.monitor}": trained.best_value})
    return trained
