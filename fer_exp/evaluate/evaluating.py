"""A trained model on any data set: measured, shown, written and logged.

Called by the command line of `evaluate`. The model may be a run, a registered model or a file; the data are those that
overrides name, else those of the run.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fer_exp.assessment import examine, metrics, temperature
from fer_exp.data import folds
from fer_exp.dataset import Split, Splits
from fer_exp.errors import ConfigError
from fer_exp.evaluate import measure
from fer_exp.options import commandline, config, recorded_config
from fer_exp.record import layout, names, store
from fer_exp.reporting import console, report, tables
from fer_exp.reporting.terminal import printable
from fer_exp.run import trained
from fer_exp.run.trained import Classifier
from fer_exp.tracking import Tracker, glance


def run(word: str, overrides: Sequence[str], split: str, file: str | None, common: bool, screen: Console) -> str:
    """Evaluates a model, shows what is found, writes and logs it.

    Args:
        word: The model, as of `trained.opened`.
        overrides: As of the main program: what they say of `dataset`, `fold`, `evaluation`, `seed` and `tracking`
            counts.
        split: train, val or test.
        file: Which file of a run; None: its Keras model.
        common: Leave out the classes that model and data do not share.
        screen: Where the result goes.

    Returns:
        The id of the run that it is logged to.

    Raises:
        UserError: If the model or the data cannot be used, or do not fit; nothing is written or logged then.
    """
    strangers = [entry for entry in overrides if "=" not in entry and not entry.startswith("~")]
    if strangers:
        raise ConfigError([f"Overrides must be key=value. Received: {strangers[0]}."])
    jobs = commandline.check(overrides, groups=["dataset"])
    if jobs is None:
        raise ConfigError(["Overrides must be key=value."])
    if jobs.first.evaluation.temperature_scaling and split == "val":
        raise ConfigError(
            [
                "`evaluation.temperature_scaling` is fitted on val and must be judged on another split. Received: "
                "--split val. Use --split test."
            ]
        )
    folder = store.outputs("evaluate")
    glance(jobs.first.tracking)
    if _names_data(overrides):
        config.glance(jobs.first.dataset)
    with ExitStack() as stack:
        with console.waiting(screen, "loading the model"):
            model = stack.enter_context(trained.opened(word, file or trained.KERAS, overrides))
        experiment = _experiment(jobs.first, model, overrides)
        with console.waiting(screen, f"reading the data set {experiment.option('dataset')}"):
            splits = folds.divide(config.build(experiment.dataset), experiment.folds, experiment.fold)
        stack.enter_context(console.waiting(screen, f"evaluating on the {split} split, and drawing what it says"))
        found, before, more = _measured(model, splits, split, common, experiment.evaluation.temperature_scaling)
        tracker: Tracker = config.build(experiment.tracking, system_metrics=False)
        report.write_evaluation(folder, found.evaluation, found.split, split)
        if found.split.sources is not None:
            report.write_sources(folder, _of_sources(found, splits))
        subject = examine.Subject(
            evaluation=found.evaluation,
            split=found.split,
            name=split,
            before=before,
            earlier=_earlier(splits, split) if _of_these_data(model, splits) else {},
            predict=lambda images: measure.answer(model, images, found.columns),
            model=model.model,
            columns=found.columns,
            fit=lambda images: measure.fit(model, images),
        )
        examined = examine.examine(subject, experiment.evaluation, folder, experiment.seed)
        examined.scalars.update(more)
    run_id = _log(tracker, folder, model, experiment, splits, split, found, examined)
    screen.print(_table(found, examined, split, model, splits))
    for note in found.notes:
        screen.print(Text(f"note: {note}"), soft_wrap=True)
    screen.print(Text(f"files: {folder}\nlogged: run {run_id} in {tracker.uri}"), soft_wrap=True)
    return run_id


def _earlier(splits: Splits, split: str) -> dict[str, Split]:
    """Returns the splits that a model has seen before it meets this one, by name."""
    names = ("train", "val", "test")
    return {name: getattr(splits, name) for name in names[: names.index(split)]}


def _of_these_data(model: Classifier, splits: Splits) -> bool:
    """Tells whether train and val may be what the model was made of; what made a file is not known."""
    return model.record is None or model.record.tags.get("data_sha256") == splits.sha256


def _measured(
    model: Classifier, splits: Splits, split: str, common: bool, scaled: bool
) -> tuple[measure.Evaluated, metrics.Evaluation | None, dict[str, float]]:
    """Returns what was measured, and, if a temperature was fitted on val, the answers before, and the temperature."""
    found = measure.measure(model, splits, split, common)
    names.tell("classes", found.evaluation.class_names)
    if not scaled:
        return found, None, {}
    heat = temperature.fit(measure.measure(model, splits, "val", common).evaluation)
    note = (
        f"probabilities are those of logits divided by {heat:.4f}, a temperature fitted on val; the model is as it was"
    )
    after = temperature.scaled(found.evaluation, heat)
    return (
        dataclasses.replace(found, evaluation=after, notes=(*found.notes, note)),
        found.evaluation,
        {"temperature": heat},
    )


def _experiment(typed: config.Experiment, model: Classifier, overrides: Sequence[str]) -> config.Experiment:
    """Returns the configuration with the data set that is meant: the one named, else that of the run."""
    if _names_data(overrides):
        return typed
    if model.record is None or model.tracker is None:
        raise ConfigError(
            [f"`dataset` must be named for a file: dataset=fer2013 dataset.path=... Received: {model.name} alone."]
        )
    recorded = _recorded(model)
    values = typed.model_dump()
    option = recorded_config.option("dataset", recorded["dataset"], "dataset")
    values["dataset"] = (
        commandline.composed([f"dataset={option}"])["dataset"] | recorded["dataset"]
    )  # which may be older
    if "cache_dir" in values["dataset"]:
        values["dataset"]["cache_dir"] = typed.cache_dir
    if typed.fold is None:
        values |= {"folds": recorded["folds"], "fold": recorded["fold"]}
    return config.check(values, groups=["dataset"])


def _names_data(overrides: Sequence[str]) -> bool:
    return any(entry.lstrip("+~").startswith("dataset") for entry in overrides)


def _recorded(model: Classifier) -> Mapping[str, Any]:
    record, tracker = model.record, model.tracker
    unnamed = f"`dataset` must be named: {model.name} has no {layout.RESOLVED} that says its data."
    try:
        values = recorded_config.read(tracker, record) if tracker and record else {}
    except ConfigError as error:
        raise ConfigError([unnamed, *error.problems]) from error
    if not {"dataset", "folds", "fold"} <= values.keys() or not isinstance(values["dataset"], dict):
        raise ConfigError([unnamed])
    return values


def _log(
    tracker: Tracker,
    folder: Path,
    model: Classifier,
    experiment: config.Experiment,
    splits: Splits,
    split: str,
    found: measure.Evaluated,
    examined: examine.Examined,
) -> str:
    dataset = {f"dataset.{key}": value for key, value in experiment.dataset.items()}
    params = {
        "model": model.name,
        "file": model.file,
        "split": split,
        "folds": experiment.folds,
        "fold": experiment.fold,
        **{f"evaluation.{key}": value for key, value in experiment.evaluation.model_dump().items()},
    }
    tags = {"data_sha256": splits.sha256, "evaluated": model.record.run_id if model.record else model.file}
    if model.record is not None:
        tags["mlflow.parentRunId"] = model.record.run_id
    name = f"evaluate {model.file if model.record else Path(model.file).name} on {experiment.option('dataset')} {split}"
    with tracker.run(name, {**params, **dataset}, tags) as tracked:
        tracked.log_metrics(metrics.scalars(found.evaluation, split) | examined.scalars)
        tracked.log_metrics(metrics.scalars_of_sources(_of_sources(found, splits), split))
        for part in (layout.FIGURES, layout.TABLES):
            tracked.log_folder(folder / part)
        if found.notes:
            tracked.set_tags({"mlflow.note.content": "\n".join(f"- {note}" for note in found.notes)})
    return tracked.run_id


def _of_sources(found: measure.Evaluated, splits: Splits) -> dict[str, metrics.Evaluation]:
    if found.split.sources is None:
        return {}
    return metrics.of_sources(found.evaluation, found.split.sources, splits.source_names)


def _table(
    found: measure.Evaluated, examined: examine.Examined, split: str, model: Classifier, splits: Splits
) -> Table:
    evaluation = found.evaluation
    title = f"{model.name} on {len(evaluation):,} {split} images of {splits.source}"
    shown = Table(title=Text(printable(title)), title_justify="left", show_header=False)
    low, high = evaluation.accuracy_interval
    f1_low, f1_high = evaluation.macro_f1_interval
    shown.add_row(f"{split} accuracy", f"{evaluation.accuracy:.4f}  (95 % interval {low:.4f} - {high:.4f})")
    shown.add_row(f"{split} macro-F1", f"{evaluation.macro_f1:.4f}  (95 % interval {f1_low:.4f} - {f1_high:.4f})")
    for what, sentence in examined.findings:
        shown.add_row(what, Text(printable(sentence)))
    for sentence in tables.describe_confusions(evaluation, 3, split):
        shown.add_row("confusion", Text(printable(sentence)))
    return shown
