"""What a student minimises is what the formula says, of the very images it sees; and nothing else has changed."""

from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from contracts import compose, node
from fit.test_continuation import CutOff, assert_equal
from rich.console import Console
from small_trainings import PLAIN, SMALL_CNN, SMALL_MOBILENET, SPLITS, evaluate
from tensorflow.python.framework.config import disable_op_determinism

from fer_exp.data.inputs import image
from fer_exp.fit import assembly, epoch_metrics, inference, pipeline, training
from fer_exp.fit.assembly import Fit
from fer_exp.fit.distilling import Teacher
from fer_exp.fit.fitting import TrainingLoss, fitted
from fer_exp.loss import Objective
from fer_exp.options import config

LOGITS = np.array([[2.0, -1.0, 0.5], [0.0, 3.0, 1.0]], np.float32)
ONE_HOT = np.eye(3, dtype=np.float32)[[0, 2]]
SOFT = np.array([[0.5, 0.5, 0.0], [0.1, 0.2, 0.7]], np.float32)
PLAIN_LOSS = Objective(keras.losses.CategoricalCrossentropy(from_logits=True), None)
BOTH = {"labels": ONE_HOT, "teacher": SOFT}


@pytest.fixture(autouse=True)
def _leave_no_global_state() -> Iterator[None]:
    yield
    keras.mixed_precision.set_dtype_policy("float32")
    disable_op_determinism()


def softmax(logits: np.ndarray) -> np.ndarray:
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def divergence(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    return np.array(
        [sum(a * np.log(a / b) for a, b in zip(*rows, strict=True) if a) for rows in zip(p, q, strict=True)]
    )


def a_teacher(temperature: float = 4.0, weight: float = 0.7, count: int = 1) -> Teacher:
    """Linear models of 8 x 8 images that tell something."""
    models = []
    for number in range(count):
        keras.utils.set_random_seed(10 + number)
        models.append(
            keras.Sequential(
                [keras.Input((8, 8, 1)), keras.layers.Rescaling(1 / 64), keras.layers.Flatten(), keras.layers.Dense(3)]
            )
        )
    return Teacher(tuple(models), temperature, weight)


@pytest.mark.parametrize("option", ["cross_entropy", "focal"])
def test_the_loss_is_that_of_the_labels_and_the_divergence_in_their_shares(option: str) -> None:
    objective = config.build(node("loss", option, label_smoothing=0.1), (1, 1, 1), ("a", "b", "c"))
    found = TrainingLoss(objective, a_teacher()).call(BOTH, tf.constant(LOGITS)).numpy()
    expected = 0.3 * objective.loss.call(ONE_HOT, LOGITS).numpy() + 0.7 * 16 * divergence(SOFT, softmax(LOGITS / 4))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_a_teacher_who_says_the_same_adds_nothing() -> None:
    same = {"labels": ONE_HOT, "teacher": softmax(LOGITS / 2)}
    found = TrainingLoss(PLAIN_LOSS, a_teacher(temperature=2.0, weight=1.0)).call(same, tf.constant(LOGITS))
    np.testing.assert_allclose(found, [0, 0], atol=1e-6)


def test_the_loss_and_metrics_of_validation_are_those_of_the_labels_alone() -> None:
    of_labels = float(PLAIN_LOSS.loss(ONE_HOT, LOGITS))
    assert float(TrainingLoss(PLAIN_LOSS, a_teacher())({"labels": ONE_HOT}, LOGITS)) == pytest.approx(of_labels)
    inputs = keras.Input((3,), name="logits")
    model = fitted(keras.Model(inputs, keras.layers.Identity()(inputs)), PLAIN_LOSS, a_teacher())
    model.compile(metrics=epoch_metrics.built(3))
    measured = model.evaluate(tf.data.Dataset.from_tensors(({"logits": LOGITS}, BOTH)), return_dict=True, verbose=0)
    assert measured["accuracy"] == 0.5
    assert measured["macro_f1"] == pytest.approx(1 / 3)  # of one class 1, of the others 0


def test_several_models_answer_with_the_mean_of_their_probabilities_at_the_temperature() -> None:
    teacher = a_teacher(temperature=3.0, count=2)
    images = SPLITS.train.images[:4].astype(np.float32)
    inputs = {"image": images}
    expected = np.mean([softmax(np.asarray(model(images)) / 3.0) for model in teacher.models], axis=0)
    np.testing.assert_allclose(teacher.probabilities(inputs), expected, rtol=1e-5)
    one = np.mean([softmax(np.asarray(model(images))) for model in teacher.models], axis=0)
    np.testing.assert_allclose(teacher.probabilities(inputs, 1.0), one, rtol=1e-5)


def test_keras_sees_nothing_of_the_teacher() -> None:
    model = config.build(node("model", "cnn", widths=[4, 4], head_units=8), image((8, 8, 1)), 3)
    for teacher in (None, a_teacher()):
        made = fitted(model, PLAIN_LOSS, teacher)
        assert [id(variable) for variable in made.variables] == [id(variable) for variable in model.variables]


def train(
    folder: Path, *overrides: str, teacher: Teacher | None = None, die_after: int | None = None
) -> tuple[training.Trained | None, assembly.Assembled]:
    """Trains as `experiment` does."""
    model = () if "model=mobilenet_v1" in overrides else SMALL_CNN
    experiment = config.check(compose(*PLAIN, *model, *overrides))
    strategy = assembly.prepare(experiment)
    parts = assembly.assemble(experiment, SPLITS, strategy)
    if teacher is not None:
        parts = parts.taught_by(teacher)

    def log_epoch(metrics: dict[str, float], epoch: int) -> None:
        if epoch == die_after:
            raise CutOff

    try:
        return training.train(
            Fit(experiment, SPLITS, strategy, parts, Console(quiet=True), folder), "key", log_epoch
        ), parts
    except CutOff:
        return None, parts


@pytest.mark.parametrize(
    "overrides",
    [
        ("augmentation=strong", "loss.class_weights=auto", "loss.label_smoothing=0.1", "model.l2=0.01"),
        ("augmentation=light", "loss=focal", "loss.class_weights={happy: 3.0}", "optimizer.ema_momentum=0.9"),
        ("augmentation=light", "precision=mixed_bfloat16"),
    ],
)
def test_a_step_measures_the_loss_on_augmented_and_mixed_images(tmp_path: Path, overrides: tuple[str, ...]) -> None:
    """One step over all images, at a rate of almost 0, against the formula on the same batch."""
    teacher = a_teacher()
    found, parts = train(tmp_path, *overrides, "batch_size=24", "epochs=1", "lr=1e-12", teacher=teacher)
    assert found is not None
    inputs, targets, *weights = next(
        iter(
            pipeline.training_batches(
                SPLITS.train, 24, seed=0, num_classes=3, augment=parts.augment,
                class_weights=parts.objective.class_weights, epochs=1,
            )
        )
    )  # fmt: skip
    images = inputs["image"]
    logits = np.asarray(found.model(images, training=False))
    labels = targets["labels"]
    hard = parts.objective.loss.call(labels, logits).numpy()
    (model,) = teacher.models
    soft = divergence(softmax(np.asarray(model(images)) / 4), softmax(logits / 4))
    each = 0.3 * hard + 0.7 * 16 * soft
    expected = np.mean(each * weights[0].numpy() if weights else each) + sum(float(loss) for loss in parts.model.losses)
    tolerance = 0.02 if "precision=mixed_bfloat16" in overrides else 1e-4
    assert found.history["train/loss"].iloc[0] == pytest.approx(expected, rel=tolerance)
    assert (labels.numpy().max(axis=1) < 1).any() == ("augmentation=strong" in overrides)  # mixup is among it


def test_a_teacher_without_weight_changes_nothing(tmp_path: Path) -> None:
    alone, _ = train(tmp_path / "alone", "epochs=2", "lr=1e-2", "augmentation=light")
    taught, _ = train(tmp_path / "taught", "epochs=2", "lr=1e-2", "augmentation=light", teacher=a_teacher(weight=0.0))
    assert alone is not None
    assert taught is not None
    measures = ["train/loss", "val/loss", "val/accuracy"]
    np.testing.assert_allclose(taught.history[measures], alone.history[measures], rtol=1e-4)


def test_a_student_of_the_teacher_alone_comes_to_say_what_the_teacher_says(tmp_path: Path) -> None:
    teacher = a_teacher(temperature=1.0, weight=1.0)
    found, _ = train(tmp_path, "epochs=30", "lr=2e-2", "checkpoint.keep=last", teacher=teacher)
    assert found is not None
    losses = found.history["train/loss"]
    assert losses.iloc[-1] < 0.3 * losses.iloc[0]
    assert found.history["val/loss"].iloc[-1] == pytest.approx(evaluate(found.model, SPLITS.val)[0], rel=1e-4)
    images = SPLITS.train.images.astype(np.float32)
    said = np.asarray(teacher.probabilities({"image": images}))
    assert (said.argmax(axis=1) != SPLITS.train.labels).any()  # what it learned are not the labels
    answers = inference.predict(found.model, SPLITS.train.inputs, 24)
    assert (answers.argmax(axis=1) == said.argmax(axis=1)).mean() > 0.9


@pytest.mark.usefixtures("_tiny_backbone")
def test_a_head_on_cached_features_learns_from_what_was_said_of_each_view(tmp_path: Path) -> None:
    found = []
    for views in (0, 3):
        stages = f"[{{name: head, unfreeze: 0.0, lr_scale: 1.0, epoch_share: 1.0, feature_views: {views}}}]"
        trained, _ = train(
            tmp_path / str(views), *SMALL_MOBILENET, "finetune=staged", f"finetune.stages={stages}", "epochs=3",
            "augmentation=strong", "loss.class_weights=auto", "model.dropout=0.0", "checkpoint.keep=last",
            teacher=a_teacher(),
        )  # fmt: skip
        assert trained is not None
        found.append(trained)
    each_step, once = found
    measures = ["train/loss", "val/loss", "val/accuracy"]
    np.testing.assert_allclose(once.history[measures], each_step.history[measures], rtol=1e-3)
    for a, b in zip(once.model.get_weights(), each_step.model.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-2, atol=1e-4)


def test_a_student_that_was_cut_off_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    overrides = ("epochs=3", "lr=1e-2", "augmentation=light", "deterministic=true", "optimizer.ema_momentum=0.7")
    whole, _ = train(tmp_path / "whole", *overrides, teacher=a_teacher())
    nothing, _ = train(tmp_path / "cut", *overrides, teacher=a_teacher(), die_after=1)
    continued, _ = train(tmp_path / "cut", *overrides, teacher=a_teacher())
    assert nothing is None
    assert whole is not None
    assert continued is not None
    assert_equal(continued, whole)
