"""From ids of finished runs to a teacher: its models are fetched, and refused if they do not fit the data.

Called by `experiment` before a run is recorded. Files of a store are data: they are loaded without code. It must not
know how a student learns.
"""

import functools
import logging

import numpy as np
import tensorflow as tf

from fer_exp.assessment import metrics
from fer_exp.data import inputs
from fer_exp.dataset import Development, Split
from fer_exp.distillation import Distillation
from fer_exp.errors import ConfigError
from fer_exp.fit.distilling import Teacher
from fer_exp.network import recorded_model
from fer_exp.process import temporary
from fer_exp.tracking import Record, Tracker

log = logging.getLogger(__name__)

_BATCH = 256
_KEY = "`distillation.run`"


def load(plan: Distillation, tracker: Tracker, splits: Development, fold: tuple[int, int | None]) -> Teacher:
    """Fetches the models of runs.

    Args:
        plan: Which runs, and how much they count.
        tracker: Where the runs are.
        splits: The data that the student learns from.
        fold: Number of folds and the one to validate on, of the student.

    Raises:
        ConfigError: With a line for each run that is not there, has not finished, has no model, or whose model takes
            other inputs or tells other classes apart.
    """
    problems: list[str] = []
    models, ids = [], []
    for run in plan.runs:
        record = tracker.record(run)
        reason = _objection(record)
        if record is None or reason:
            problems.append(f"{_KEY} must be a finished run of one training in {tracker.uri}. Received: {run}{reason}.")
            continue
        with temporary.folder("teacher") as folder:
            download = functools.partial(tracker.download, record.run_id)
            try:
                model = recorded_model.load(download, folder, splits.specs, splits.class_names)
                model.trainable = False
                models.append(model)
                ids.append(record.run_id)
            except ValueError as error:
                problems.append(f"{_KEY} {error} Received: {record.called}.")
        _warn_of_other_data(record, splits, fold)
    if problems:
        raise ConfigError(problems)
    return Teacher(tuple(models), plan.temperature, plan.weight, tuple(ids))


def measures(teacher: Teacher, val: Split, class_names: tuple[str, ...]) -> dict[str, float]:
    """Returns what the teacher itself reaches on the validation split, with MLflow's names.

    Args:
        teacher: From `load`.
        val: Validation split.
        class_names: Name of each class, in label order.
    """
    answer = tf.function(lambda batch: teacher.probabilities(batch, 1.0), reduce_retracing=True)
    found = [
        answer({name: tf.constant(values, tf.float32) for name, values in batch.items()}).numpy()
        for batch in inputs.chunks(val.inputs, _BATCH)
    ]
    probabilities = np.concatenate(found)
    evaluation = metrics.evaluate(probabilities, val.labels, class_names)
    right = probabilities[np.arange(len(val)), val.labels]
    return {
        "teacher/val_accuracy": evaluation.accuracy,
        "teacher/val_macro_f1": evaluation.macro_f1,
        "teacher/val_loss": float(-np.log(np.maximum(right, 1e-7)).mean()),
    }


def _objection(record: Record | None) -> str:
    """Returns why nothing can be learned from a run, or nothing."""
    if record is None:
        return ", which is not there"
    if "sweep" in record.tags:
        return f" ({record.name}), which is a sweep: name one or more of its runs"
    return "" if record.status == "FINISHED" else f" ({record.name}), which is {record.status}"


def _warn_of_other_data(record: Record, splits: Development, fold: tuple[int, int | None]) -> None:
    if record.tags.get("data_sha256") == splits.sha256 and record.has_part(*fold):
        return
    what = "another part of the data" if record.tags.get("data_sha256") == splits.sha256 else "other data"
    log.warning(
        "The teacher %s was trained on %s than this run is: images that this run validates and tests on may have been "
        "among its training images, and would then make the numbers of this run too good.",
        record.called,
        what,
    )
