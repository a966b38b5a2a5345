"""Training keeps what it promises: one epoch axis, the right weights, repeatable runs, an end when the loss is lost."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import h5py
import keras
import numpy as np
import pytest
from contracts import compose
from rich.console import Console
from small_trainings import PLAIN, SMALL_CNN, SMALL_MOBILENET, SPLITS, evaluate
from tensorflow.python.framework.config import disable_op_determinism

from fer_exp.data.stored_rows import StoredRows
from fer_exp.dataset import Split, Splits
from fer_exp.errors import TrainingDivergedError
from fer_exp.fit import assembly, callbacks, feed, inference, pipeline, snapshot, training
from fer_exp.fit.assembly import Fit
from fer_exp.options import config

# Two epochs in which hardly anything happens, then steps so large that every later epoch is much worse.
GETS_WORSE = ("schedule=step", "schedule.milestones=[0.5]", "schedule.factor=1.0e+7", "lr=1e-6", "epochs=4")


class Run(NamedTuple):
    """What a training left behind."""

    trained: training.Trained
    logged: list[tuple[dict[str, float], int]]
    model_in_training: keras.Model


@pytest.fixture(autouse=True)
def _leave_no_global_state() -> Iterator[None]:
    yield
    keras.mixed_precision.set_dtype_policy("float32")
    disable_op_determinism()


def run(folder: Path, *overrides: str, splits: Splits = SPLITS) -> Run:
    """Trains as `experiment` does."""
    model = () if "model=mobilenet_v1" in overrides else SMALL_CNN
    experiment = config.check(compose(*PLAIN, *model, *overrides))
    strategy = assembly.prepare(experiment)
    parts = assembly.assemble(experiment, splits, strategy)
    logged: list[tuple[dict[str, float], int]] = []
    trained = training.train(
        Fit(experiment, splits, strategy, parts, Console(quiet=True), folder),
        "key",
        lambda *entry: logged.append(entry),
    )
    return Run(trained, logged, parts.model)


@pytest.fixture(scope="module")
def best(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run(tmp_path_factory.mktemp("best"), *GETS_WORSE, "monitor=val/loss", "checkpoint.keep=best")


# Everything random: augmentation, dropout, weights, order.
RANDOM = ("augmentation=light", "model.batch_norm=true", "model.block_dropout=0.2", "loss.class_weights=auto", "seed=3")


@pytest.fixture(scope="module")
def last(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run(tmp_path_factory.mktemp("last"), *GETS_WORSE, *RANDOM, "deterministic=true", "checkpoint.keep=last")


def test_the_history_has_a_row_for_each_epoch_and_the_same_goes_to_the_log(best: Run) -> None:
    history = best.trained.history
    assert list(history.columns) == [
        "epoch",
        "train/loss",
        "train/accuracy",
        "val/loss",
        "val/accuracy",
        "val/macro_f1",
        "lr",
        "images_per_second",
    ]
    assert history["epoch"].tolist() == [1, 2, 3, 4]
    assert [{"epoch": epoch, **metrics} for metrics, epoch in best.logged] == history.to_dict("records")
    assert best.trained.stage_starts == []


def test_the_rate_of_an_epoch_is_the_one_at_its_end(best: Run) -> None:
    assert best.trained.history["lr"].tolist() == pytest.approx([1e-6, 1e-6, 10, 10], rel=1e-5)


def test_keep_best_gives_the_weights_of_the_best_epoch(best: Run) -> None:
    losses = best.trained.history["val/loss"]
    assert losses.iloc[-1] > 2 * losses.min()  # the last weights would show
    assert best.trained.best_epoch == 1 + int(losses.argmin()) <= 2
    assert best.trained.best_value == losses.min()
    loss, accuracy = evaluate(best.trained.model, SPLITS.val)
    assert loss == pytest.approx(losses.min(), rel=1e-5)
    assert accuracy == pytest.approx(best.trained.history["val/accuracy"][losses.argmin()])


def test_keep_last_gives_the_weights_of_the_last_epoch(last: Run) -> None:
    losses = last.trained.history["val/loss"]
    assert (last.trained.best_epoch, last.trained.best_value) == (4, last.trained.history["val/accuracy"].iloc[-1])
    assert losses.iloc[-1] > 2 * losses.min()
    assert evaluate(last.trained.model, SPLITS.val)[0] == pytest.approx(losses.iloc[-1], rel=1e-4)


def test_early_stopping_ends_the_training_and_a_plateau_lowers_the_rate(tmp_path: Path) -> None:
    found = run(
        tmp_path, "epochs=9", "lr=1e-3", "monitor=val/loss",
        "early_stopping.patience=3", "early_stopping.min_delta=1e+9",
        "schedule=plateau", "schedule.patience=1", "schedule.min_delta=1e+9", "schedule.factor=0.1",
        "schedule.min_lr=5e-5",
    )  # fmt: skip
    history = found.trained.history
    assert history["epoch"].tolist() == [1, 2, 3, 4]  # the first epoch improves on nothing, three more do not
    assert history["lr"].tolist() == pytest.approx([1e-3, 1e-3, 1e-4, 5e-5])


@pytest.mark.usefixtures("_tiny_backbone")
def test_stages_share_one_epoch_axis_without_gaps_and_scale_the_rate(tmp_path: Path) -> None:
    found = run(
        tmp_path, *SMALL_MOBILENET, "finetune=staged", "monitor=val/loss",
        "finetune.stages=[{name: head, unfreeze: 0.0, lr_scale: 1.0, epoch_share: 0.7}, "
        "{name: all, unfreeze: 1.0, lr_scale: 0.1, epoch_share: 0.3}]",
        "epochs=7", "lr=1e-3", "early_stopping.patience=1", "early_stopping.min_delta=1e+9",
    )  # fmt: skip
    # Five and two epochs were planned; each stage stops after its second.
    assert found.trained.history["epoch"].tolist() == [1, 2, 3, 4]
    assert found.trained.stage_starts == [3]
    assert found.trained.history["lr"].tolist() == pytest.approx([1e-3, 1e-3, 1e-4, 1e-4])
    assert [epoch for _, epoch in found.logged] == [1, 2, 3, 4]


def test_no_variable_of_the_optimizer_is_kept_with_the_weights(tmp_path: Path) -> None:
    found = run(tmp_path, "epochs=1", "optimizer=adam")
    (file,) = (tmp_path / snapshot.KEPT).iterdir()
    sizes: list[int] = []
    with h5py.File(file) as kept:
        kept.visititems(lambda _, item: sizes.append(item.size) if isinstance(item, h5py.Dataset) else None)
    assert sum(sizes) == sum(variable.numpy().size for variable in found.trained.model.variables)


def doubtful(drawn: bool) -> Splits:
    """The same images, each label with a part of its neighbour's."""
    targets = (0.75 * np.eye(3) + 0.25 * np.roll(np.eye(3), 1, axis=1))[SPLITS.train.labels].astype(np.float32)
    return dataclasses.replace(SPLITS, train=dataclasses.replace(SPLITS.train, targets=targets, drawn=drawn))


def test_soft_labels_are_trained_towards_and_hard_ones_validated(tmp_path: Path) -> None:
    splits = doubtful(drawn=False)
    found = run(
        tmp_path, "loss.class_weights={happy: 3.0}", "loss.label_smoothing=0.0", "lr=1e-12", "epochs=1",
        "checkpoint.keep=last", "batch_size=24", splits=splits,
    )  # fmt: skip
    assert splits.train.targets is not None
    logits = np.asarray(found.trained.model(splits.train.images.astype(np.float32), training=False))
    log_probabilities = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    factor = splits.train.targets @ np.array([1.0, 3.0, 1.0])
    expected = (factor * -(splits.train.targets * log_probabilities).sum(axis=1)).mean()
    assert found.trained.history["train/loss"].tolist() == pytest.approx([expected], rel=1e-4)
    assert found.trained.history["val/loss"].iloc[0] == pytest.approx(evaluate(found.trained.model, splits.val)[0])


@pytest.mark.usefixtures("_tiny_backbone")
@pytest.mark.parametrize(
    ("augmentation", "splits"),
    [("none", SPLITS), ("strong", doubtful(drawn=False)), ("none", doubtful(drawn=True))],
    ids=["plain", "strong-soft", "drawn"],
)
def test_a_head_learns_the_same_from_features_that_are_computed_once(
    tmp_path: Path, augmentation: str, splits: Splits
) -> None:
    found = []
    for views in (0, 3):
        (tmp_path / str(views)).mkdir()
        stages = f"[{{name: head, unfreeze: 0.0, lr_scale: 1.0, epoch_share: 1.0, feature_views: {views}}}]"
        found.append(run(
            tmp_path / str(views), *SMALL_MOBILENET, "finetune=staged", f"finetune.stages={stages}", "epochs=3",
            f"augmentation={augmentation}", "loss.class_weights=auto", "model.dropout=0.0", "checkpoint.keep=last",
            splits=splits,
        ))  # fmt: skip
    each_step, once = (one.trained for one in found)
    measured = ["train/loss", "val/loss", "val/accuracy"]
    np.testing.assert_allclose(once.history[measured], each_step.history[measured], rtol=1e-3)
    for a, b in zip(once.model.get_weights(), each_step.model.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-2, atol=1e-4)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw", "muon"])
def test_averaged_weights_are_what_is_validated_and_kept(tmp_path: Path, optimizer: str) -> None:
    found = run(
        tmp_path, "epochs=3", "lr=1e-2", "checkpoint.keep=last", "model.batch_norm=true", f"optimizer={optimizer}",
        "optimizer.ema_momentum=0.5",
    ).trained  # fmt: skip
    loss, accuracy = evaluate(found.model, SPLITS.val)
    assert loss == pytest.approx(found.history["val/loss"].iloc[-1], rel=1e-3)
    assert accuracy == pytest.approx(found.history["val/accuracy"].iloc[-1])
    (tmp_path / "plain").mkdir()
    plain = run(
        tmp_path / "plain", "epochs=3", "lr=1e-2", "checkpoint.keep=last", "model.batch_norm=true",
        f"optimizer={optimizer}",
    ).trained  # fmt: skip
    assert plain.history["train/loss"].tolist() == pytest.approx(found.history["train/loss"].tolist(), rel=1e-4)
    assert plain.history["val/loss"].iloc[-1] != pytest.approx(loss, rel=1e-4)


@pytest.mark.parametrize(("averages", "times"), [("null", 1), ("0.5", 2)])
def test_batches_are_made_once_and_once_more_for_an_average(
    averages: str, times: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, really = [], feed.training_batches
    monkeypatch.setattr(feed, "training_batches", lambda *args, **how: made.append(args) or really(*args, **how))
    run(tmp_path, "epochs=1", f"optimizer.ema_momentum={averages}")
    assert len(made) == times


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw", "muon"])
def test_a_step_is_traced_once(optimizer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    traced, really = [], keras.Model.train_step
    monkeypatch.setattr(keras.Model, "train_step", lambda model, data: traced.append(1) or really(model, data))
    run(tmp_path, "epochs=2", f"optimizer={optimizer}", "optimizer.ema_momentum=0.5", f"batch_size={len(SPLITS.train)}")
    assert len(traced) == 1


def test_deterministic_runs_are_equal_bit_for_bit(last: Run, tmp_path: Path) -> None:
    one = last.trained
    other = run(tmp_path, *GETS_WORSE, *RANDOM, "deterministic=true", "checkpoint.keep=last").trained
    assert all(np.array_equal(a, b) for a, b in zip(one.model.get_weights(), other.model.get_weights(), strict=True))
    measured = [column for column in one.history.columns if column != "images_per_second"]
    assert one.history[measured].equals(other.history[measured])


def test_a_loss_that_is_no_number_ends_the_run_and_names_epoch_and_step(tmp_path: Path) -> None:
    with pytest.raises(TrainingDivergedError) as caught:
        run(tmp_path, "lr=1e30", "epochs=2")
    assert str(caught.value) == (
        "The loss became nan in epoch 1, step 2. Try a smaller lr, optimizer.clipnorm=1.0, or precision=float32."
    )
    assert caught.value.exit_code == 3


def test_weights_that_are_lost_in_the_very_last_step_are_noticed_too(tmp_path: Path) -> None:
    with pytest.raises(TrainingDivergedError, match="The validation loss became nan after epoch 1. Try a smaller lr"):
        run(tmp_path, "lr=1e30", "epochs=1", "batch_size=24")


def test_bfloat16_trains_and_leaves_a_float32_model_that_predicts_the_same(tmp_path: Path) -> None:
    found = run(tmp_path, "precision=mixed_bfloat16", "epochs=3", "lr=1e-2", "checkpoint.keep=last")
    model, twin = found.model_in_training, found.trained.model
    assert {layer.compute_dtype for layer in model.layers} == {"bfloat16", "float32"}
    assert {layer.compute_dtype for layer in twin.layers} == {"float32"}
    assert np.isfinite(found.trained.history["train/loss"]).all()
    inputs = SPLITS.val.inputs
    np.testing.assert_allclose(inference.predict(twin, inputs, 15), inference.predict(model, inputs, 15), atol=0.02)


@pytest.mark.usefixtures("_tiny_backbone")
def test_a_frozen_backbone_with_random_weights_is_warned_about(caplog: pytest.LogCaptureFixture) -> None:
    experiment = config.check(compose(*SMALL_MOBILENET, "finetune=staged"))
    parts = assembly.assemble(experiment, SPLITS, assembly.prepare(experiment))
    assert parts.weights_origin == "random"
    assert "finetune=staged freezes a backbone that has random weights." in caplog.text


def test_images_on_disk_are_trained_on_to_the_same_numbers(tmp_path: Path) -> None:
    def filed(split: Split, name: str) -> Split:
        np.save(tmp_path / f"{name}.npy", split.images)
        return dataclasses.replace(
            split, inputs={"image": StoredRows(np.load(tmp_path / f"{name}.npy", mmap_mode="r"))}
        )

    on_disk = dataclasses.replace(SPLITS, train=filed(SPLITS.train, "train"), val=filed(SPLITS.val, "val"))
    overrides = ("epochs=2", "augmentation=light", "deterministic=true")
    held, read = run(tmp_path / "a", *overrides), run(tmp_path / "b", *overrides, splits=on_disk)
    numbers = [[{**metrics, "images_per_second": 0} for metrics, _ in r.logged] for r in (held, read)]
    assert numbers[0] == numbers[1]
    answers = [inference.predict(r.trained.model, s.val.inputs, 4) for r, s in ((held, SPLITS), (read, on_disk))]
    np.testing.assert_array_equal(*answers)
    pair = [pipeline.augmented_sample(s.train, lambda i, t, *_: (i, t), 3, 0)[0]["image"] for s in (SPLITS, on_disk)]
    np.testing.assert_array_equal(*pair)


def test_a_loss_far_over_guessing_is_told_once_while_the_training_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    teller = callbacks.TellDivergence(3)
    teller.on_epoch_end(0, {"loss": 1.2, "val_loss": 90.0})
    assert not caplog.records, "a penalty on the weights may be as large"
    teller.on_epoch_end(1, {"loss": 1.2, "val_loss": 2e13})
    teller.on_epoch_end(2, {"loss": 3e13, "val_loss": 3e13})
    assert [record.message for record in caplog.records] == [
        "The validation loss is 2e+13 after epoch 2, and guessing among 3 classes costs 1.10: the training seems to "
        "diverge. Try a smaller lr, or optimizer.clipnorm=1.0."
    ]


def test_what_continues_a_training_is_forgotten_and_nothing_else(tmp_path: Path) -> None:
    for name in ("snapshots/after-epoch-000001.npz", "kept/after-epoch-000001.weights.h5", "model/model.keras"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    training.forget(tmp_path)
    training.forget(tmp_path)  # by the command that finds the run finished
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
