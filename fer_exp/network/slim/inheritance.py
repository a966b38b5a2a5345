"""What a training takes over from a finished run: its weights, and its architecture without some channels.

Called by `assembly`. The file of the model is data: it is loaded without code, and its weights go into the model that
the configuration describes, so that precision, penalties and fast layers are those of this run. It must not know how
channels are chosen.
"""

import functools
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd

from fer_exp.dataset import Development
from fer_exp.errors import ConfigError
from fer_exp.network import cost, recorded_model
from fer_exp.network.slim import slimming, taylor_scores
from fer_exp.network.slim.channel_groups import analyse
from fer_exp.options import config
from fer_exp.process import temporary
from fer_exp.pruning import Pruning
from fer_exp.tracking import Record, Tracker, finished_run

log = logging.getLogger(__name__)

_OWN = ("model.weights",)  # what may differ: where the first weights came from


@dataclass(frozen=True, eq=False)
class Inheritance:
    """What is taken over.

    Attributes:
        origin: Whose weights they are, for the record.
        weights: In the order of Keras' `get_weights`, float32.
        table: One row for each group of channels; None if none was to be removed.
        tags: Of the run that takes them over.
        summary: The same for people, in one line.
    """

    origin: str
    weights: Sequence[np.ndarray]
    table: pd.DataFrame | None
    tags: Mapping[str, Any]
    summary: str

    def put_into(self, model: keras.Model) -> keras.Model:
        """Returns the model with these weights, in as many channels as they have.

        Args:
            model: As the configuration describes it, in any precision.

        Raises:
            ConfigError: If its layers are not those of the run.
        """
        found = [tuple(weight.shape) for weight in model.get_weights()]
        given = [weight.shape for weight in self.weights]
        try:
            if found != given:
                model = _as_wide_as(model, self.weights)
            model.set_weights(self.weights)
        except ValueError as error:
            raise ConfigError(
                [
                    f"`pruning.run` must be a run of this model: {self.origin} has other layers, as if other code had "
                    f"made it. Keras says: {' '.join(str(error).split())[:200]}"
                ]
            ) from error
        return model


def of(pruning: Pruning, tracker: Tracker, experiment: config.Experiment, splits: Development) -> Inheritance:
    """Fetches the model of the run that an option names, and removes the channels that it chooses.

    Args:
        pruning: From the option.
        tracker: Where the run is.
        experiment: The checked configuration; its model must be that of the run.
        splits: The data that are trained on.

    Raises:
        ConfigError: If the run is not there, has not finished, has another model or none, or tells other classes apart.
        PruningError: If the channels cannot be removed as asked.
    """
    record = finished_run(tracker, pruning.run, "pruning.run")
    _require_same_model(record, experiment.model)
    with temporary.folder("source") as folder:
        source = _load(tracker, record, splits, folder)
    _warn_of_other_data(record, experiment, splits)
    origin = f"run {record.run_id}"
    tags: dict[str, Any] = {"started_from": record.run_id}
    if pruning.choose is None:
        return Inheritance(origin, source.get_weights(), None, tags, f"goes on from {origin}")
    channels = analyse(source)
    chosen = pruning.choose(channels, lambda: taylor_scores.scores(source, channels, splits.train, experiment.seed))
    slim = slimming.slim(source, channels, chosen.kept)
    before = {"parameters": source.count_params(), "multiply_adds": cost.multiply_adds(source).total}
    after = {"parameters": slim.count_params(), "multiply_adds": cost.multiply_adds(slim).total}
    tags |= {"pruned_from": record.run_id, **{f"{key}_before": value for key, value in before.items()}}
    less = {key: 1 - after[key] / before[key] for key in before}
    summary = (
        f"pruned from {origin}: {before['multiply_adds'] / 1e6:.2f} -> {after['multiply_adds'] / 1e6:.2f} M "
        f"multiply-adds ({less['multiply_adds']:.1%} less), {before['parameters']:,} -> {after['parameters']:,} "
        f"parameters ({less['parameters']:.1%} less)"
    )
    return Inheritance(origin, slim.get_weights(), chosen.table, tags, summary)


def _require_same_model(record: Record, model: Mapping[str, Any]) -> None:
    own = {f"model.{key}": str(value) for key, value in model.items()}
    theirs = {key: value for key, value in record.params.items() if key.startswith("model.")}
    target = "model._target_"
    if own[target] != theirs.get(target):
        name = config.option_name({"_target_": theirs[target]}) if target in theirs else "none"
        received = config.option_name(model)
        problems = [f"`model` must be that of `pruning.run`: {record.called} has model={name}. Received: {received}."]
        raise ConfigError(problems)
    different = [key for key in sorted({*own, *theirs}) if own.get(key) != theirs.get(key) and key not in _OWN]
    if different:
        raise ConfigError(
            [
                f"`{key}` must be as in `pruning.run`: {record.called} has {theirs.get(key, 'nothing')}. "
                f"Received: {key}={own.get(key, 'nothing')}."
                for key in different
            ]
        )


def _load(tracker: Tracker, record: Record, splits: Development, folder: Path) -> keras.Model:
    download = functools.partial(tracker.download, record.run_id)
    try:
        return recorded_model.load(download, folder, splits.specs, splits.class_names)
    except ValueError as error:
        raise ConfigError([f"`pruning.run` {error} Received: {record.called}."]) from error


def _as_wide_as(model: keras.Model, weights: Sequence[np.ndarray]) -> keras.Model:
    """Returns the network with as many channels as the weights of a slim one have.

    Raises:
        ValueError: If the weights are not those of the same layers.
    """
    if len(weights) != len(model.weights):
        raise ValueError(f"{len(weights)} weights for the {len(model.weights)} of the model")
    channels = analyse(model)
    in_order = iter(weights)
    of_layer = {id(layer): [next(in_order) for _ in layer.weights] for layer in _leaves(model)}
    widths = {port.path: of_layer[id(port.layer)][-1].shape[-1] for port in channels.ports if port.makes}
    kept = [np.arange(min(widths[group.paths[0]], len(group.channels))) for group in channels.groups]
    return slimming.slim(model, channels, kept)


def _leaves(model: keras.Model) -> list[keras.layers.Layer]:
    """Returns the layers with the models within taken apart, in the order of the weights."""
    parts = [_leaves(layer) if isinstance(layer, keras.Model) else [layer] for layer in model.layers]
    return [layer for part in parts for layer in part]


def _warn_of_other_data(record: Record, experiment: config.Experiment, splits: Development) -> None:
    if record.tags.get("data_sha256") == splits.sha256 and record.has_part(experiment.folds, experiment.fold):
        return
    log.warning(
        "Run %s was trained on other data than this run, or on another part of them: images that this run validates "
        "and tests on may have been among its training images, and would then make the numbers too good.",
        record.called,
    )
