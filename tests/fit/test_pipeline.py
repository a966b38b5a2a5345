"""Every epoch is a fresh order of all rows, and any epoch can be produced again on its own."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from contracts import node

from fer_exp.data.inputs import image
from fer_exp.data.stored_rows import StoredRows
from fer_exp.dataset import Split
from fer_exp.fit.pipeline import augmented_sample, draw, evaluation_batches, steps_in, training_batches
from fer_exp.options import config

ROW = image((16, 16, 1))

ROWS, CLASSES = 11, 3
# Every image holds its own row number, so that a batch tells which rows it took.
SPLIT = Split.of_images(
    np.broadcast_to(np.arange(ROWS, dtype=np.uint8)[:, None, None, None], (ROWS, 4, 4, 1)).copy(),
    np.array([0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1]),
)
Batch = tuple[np.ndarray, ...]


def unchanged(batch: Any, labels: tf.Tensor, seed: tf.Tensor, progress: tf.Tensor) -> tuple[Any, tf.Tensor]:
    return batch, labels


def epochs(count: int, **changes: Any) -> list[list[Batch]]:
    """Returns the batches (images, labels[, weights]) of `count` epochs, one list for each."""
    arguments: dict[str, Any] = {
        "seed": 0,
        "num_classes": CLASSES,
        "augment": unchanged,
        "class_weights": None,
        "epochs": 4,
    }
    split, batch_size = changes.pop("split", SPLIT), changes.pop("batch_size", 4)
    steps = steps_in(split, batch_size, changes.get("replicas", 1))
    batches = training_batches(split, batch_size, **{**arguments, **changes}).take(count * steps)
    found = [flat(batch) for batch in batches]
    return [found[start : start + steps] for start in range(0, len(found), steps)]


def flat(batch: tuple[Any, ...]) -> Batch:
    """Returns a batch without the names of its only input and target."""
    inputs, targets, *weights = batch
    assert (list(inputs), list(targets)) == (["image"], ["labels"])
    return tuple(part.numpy() for part in (inputs["image"], targets["labels"], *weights))


def rows(epoch: list[Batch]) -> list[int]:
    return [int(image[0, 0, 0]) for images, *_ in epoch for image in images]


def same(one: list[list[Batch]], other: list[list[Batch]]) -> bool:
    parts = [[part for epoch in epochs for batch in epoch for part in batch] for epochs in (one, other)]
    return len(parts[0]) == len(parts[1]) and all(np.array_equal(a, b) for a, b in zip(*parts, strict=True))


def test_every_epoch_holds_every_row_once_in_batches_of_which_the_last_is_smaller() -> None:
    for epoch in epochs(3):
        assert [len(images) for images, _ in epoch] == [4, 4, 3]
        assert sorted(rows(epoch)) == list(range(ROWS))


def test_the_order_is_another_in_every_epoch_and_for_every_seed() -> None:
    first, second = epochs(2)
    (other_seed,) = epochs(1, seed=1)
    assert rows(first) != rows(second)
    assert rows(first) != rows(other_seed)
    assert rows(first) != list(range(ROWS))


def test_labels_stay_with_their_images_and_pixels_keep_their_values() -> None:
    for images, labels in epochs(1)[0]:
        assert (images.dtype, labels.dtype, labels.shape[1]) == (np.float32, np.float32, CLASSES)
        assert labels.argmax(axis=1).tolist() == [SPLIT.labels[int(image[0, 0, 0])] for image in images]
        assert (labels.sum(axis=1) == 1).all()


@pytest.fixture(scope="module")
def random_setting() -> dict[str, Any]:
    """Noise images under the strong augmentation, mixup included: nothing random is left out."""
    rng = np.random.default_rng(0)
    split = Split.of_images(rng.integers(0, 256, (ROWS, 16, 16, 1), dtype=np.uint8), SPLIT.labels)
    return {"split": split, "augment": config.build(node("augmentation", "strong"), ROW), "seed": 7}


def test_the_same_seed_gives_the_same_batches_bit_for_bit(random_setting: dict[str, Any]) -> None:
    assert same(epochs(2, **random_setting), epochs(2, **random_setting))
    assert not same(epochs(1, **random_setting), epochs(1, **{**random_setting, "seed": 8}))


def test_an_epoch_can_be_produced_again_without_the_ones_before_it(random_setting: dict[str, Any]) -> None:
    from_the_start = epochs(4, **random_setting)
    assert same(from_the_start[2:], epochs(2, first_epoch=2, **random_setting))
    assert not same(from_the_start[:1], from_the_start[2:3])


@pytest.mark.parametrize("how", ["balanced", "square_root"])
def test_an_epoch_with_even_classes_is_as_long_and_can_be_produced_again(
    random_setting: dict[str, Any], how: str
) -> None:
    labels = np.array([0] * 8 + [1, 1, 2])
    setting = {
        **random_setting,
        "split": Split.of_images(random_setting["split"].images, labels),
        "how": how,
        "replicas": 2,
    }
    from_the_start = epochs(4, **setting)
    assert [[len(images) for images, _ in epoch] for epoch in from_the_start] == [[4, 4, 2]] * 4
    assert same(from_the_start[2:], epochs(2, first_epoch=2, **setting))
    assert not same(from_the_start[:1], from_the_start[2:3])


def test_rare_classes_are_drawn_as_often_as_others() -> None:
    split = Split.of_images(SPLIT.images, np.array([0] * 8 + [1, 1, 2]))
    (epoch,) = epochs(1, split=split, how="balanced")
    drawn = np.concatenate([labels for _, labels in epoch]).sum(axis=0)
    assert sorted(drawn.tolist()) == [3, 4, 4]
    assert [int(label) for _, labels in epoch for label in labels.argmax(axis=1)] == split.labels[rows(epoch)].tolist()


def test_offsets_are_a_target_of_training_batches_and_not_of_others() -> None:
    options = {"seed": 0, "num_classes": CLASSES, "augment": unchanged, "class_weights": (0.5, 1.0, 3.0), "epochs": 1}
    for _, targets, weights in training_batches(SPLIT, 4, **options, logit_offsets=(-1.0, -2.0, -3.0)).take(3):
        assert set(targets) == {"labels", "offsets"}
        np.testing.assert_array_equal(targets["offsets"], np.tile(np.float32([-1, -2, -3]), (len(weights), 1)))
        np.testing.assert_allclose(weights, targets["labels"].numpy() @ np.array([0.5, 1.0, 3.0]))
    assert all(set(targets) == {"labels"} for _, targets in evaluation_batches(SPLIT, 4, CLASSES))


def test_the_weight_of_an_image_is_that_of_its_class() -> None:
    weights_of_classes = (0.5, 1.0, 3.0)
    for images, labels, weights in epochs(1, class_weights=weights_of_classes)[0]:
        assert weights.tolist() == [weights_of_classes[label] for label in labels.argmax(axis=1)]
        assert weights.shape == images.shape[:1]


def test_the_weight_of_a_mixed_label_is_mixed_alike() -> None:
    def mix(batch: Any, labels: tf.Tensor, seed: tf.Tensor, progress: tf.Tensor) -> tuple[Any, tf.Tensor]:
        return batch, 0.75 * labels + 0.25 * tf.roll(labels, 1, axis=0)

    for _, labels, weights in epochs(1, class_weights=(0.5, 1.0, 3.0), augment=mix)[0]:
        np.testing.assert_allclose(weights, labels @ np.array([0.5, 1.0, 3.0]), rtol=1e-6)


def test_replicas_get_equal_shares_and_the_rows_left_over_are_others_each_epoch() -> None:
    found = epochs(8, replicas=2, batch_size=4)
    assert [len(images) for images, _ in found[0]] == [4, 4, 2]
    left_over = [set(range(ROWS)) - set(rows(epoch)) for epoch in found]
    assert all(len(rows_left) == 1 for rows_left in left_over)
    assert len(set().union(*left_over)) > 1


def test_no_replica_goes_without_images() -> None:
    few = SPLIT.take(slice(0, 9))
    assert [[len(images) for images, _ in epoch] for epoch in epochs(2, split=few, replicas=2)] == [[4, 4], [4, 4]]


def test_evaluation_batches_keep_order_and_end() -> None:
    batches = [flat(batch) for batch in evaluation_batches(SPLIT, 4, CLASSES)]
    assert rows(batches) == list(range(ROWS))
    assert np.concatenate([labels for _, labels in batches]).argmax(axis=1).tolist() == SPLIT.labels.tolist()
    assert batches[0][0].dtype == np.float32


def test_an_augmentation_is_told_how_much_of_the_training_is_done() -> None:
    def stamp(batch: Any, labels: tf.Tensor, seed: tf.Tensor, progress: tf.Tensor) -> tuple[Any, tf.Tensor]:
        return {"image": tf.zeros_like(batch["image"]) + progress}, labels

    seen = [float(images.flat[0]) for epoch in epochs(2, augment=stamp, epochs=4, first_epoch=2) for images, _ in epoch]
    np.testing.assert_allclose(seen, np.arange(6, 12) / 12, rtol=1e-6)


@pytest.mark.parametrize(
    ("count", "batch_size", "replicas", "sizes"),
    [(9, 8, 2, [6, 3]), (9, 8, 1, [8, 1]), (11, 4, 4, [4, 4, 3]), (10, 4, 2, [4, 4, 2]), (13, 12, 4, [8, 5])],
)
def test_evaluation_leaves_no_replica_without_a_row_while_it_can(
    count: int, batch_size: int, replicas: int, sizes: list[int]
) -> None:
    split = Split.of_images(np.zeros((count, 4, 4, 1), np.uint8), np.zeros(count, np.int64))
    found = [len(inputs["image"]) for inputs, _ in evaluation_batches(split, batch_size, CLASSES, replicas)]
    assert found == sizes


def test_soft_targets_are_trained_towards_and_labels_are_validated(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    targets = rng.dirichlet(np.ones(3), 12).astype(np.float32)
    split = Split.of_images(rng.integers(0, 256, (12, 4, 4, 1), np.uint8), targets.argmax(axis=1), targets)
    options = {"seed": 0, "num_classes": 3, "augment": unchanged, "class_weights": (1.0, 2.0, 4.0), "epochs": 1}
    images, labels, weights = flat(next(iter(training_batches(split, 12, **options))))
    order = [int(np.flatnonzero((split.images == image).all(axis=(1, 2, 3)))[0]) for image in images]
    np.testing.assert_allclose(labels, targets[order])
    np.testing.assert_allclose(weights, targets[order] @ np.array([1.0, 2.0, 4.0]), rtol=1e-6)
    _, validated = flat(next(iter(evaluation_batches(split, 12, 3))))
    np.testing.assert_array_equal(validated, np.eye(3)[split.labels])


def soft(count: int = 12, classes: int = 3, **changes: Any) -> Split:
    """Noise images, each with a distribution of its own."""
    rng = np.random.default_rng(0)
    targets = rng.dirichlet(np.ones(classes), count).astype(np.float32)
    images = rng.integers(0, 256, (count, 16, 16, 1), np.uint8)
    return dataclasses.replace(Split.of_images(images, targets.argmax(axis=1), targets), **changes)


def test_a_drawn_label_is_one_class_of_the_distribution_and_comes_as_often_as_it_says() -> None:
    targets = np.array([[0.5, 0.3, 0.2, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.1, 0.0, 0.9]], np.float32)
    many = draw(np.tile(targets, (4000, 1)), tf.constant([3, 0])).numpy().reshape(-1, 3, 4)
    assert set(many.ravel().tolist()) == {0.0, 1.0}
    assert (many.sum(axis=2) == 1).all()
    # 4,000 draws: the standard error of a share is at most 0.008.
    np.testing.assert_allclose(many.mean(axis=0), targets, atol=0.032)
    assert not many.mean(axis=0)[targets == 0].any()


def test_a_draw_stays_among_the_classes_where_shares_do_not_add_up_to_one() -> None:
    targets = np.tile(np.array([[0.3, 0.3, 0.4 - 1e-3, 0.0]], np.float32), (20_000, 1))
    assert draw(targets, tf.constant([0, 0])).numpy().sum(axis=0)[3] == 0
    assert (draw(targets, tf.constant([0, 0])).numpy().sum(axis=1) == 1).all()


def test_labels_are_drawn_anew_each_epoch_and_can_be_produced_again() -> None:
    setting = {"split": soft(drawn=True), "seed": 7}
    found = epochs(4, **setting)
    order = [np.argsort([image.tobytes() for batch in epoch for image in batch[0]]) for epoch in found]
    labels = [
        np.concatenate([batch[1] for batch in epoch])[rows].argmax(axis=1)
        for epoch, rows in zip(found, order, strict=True)
    ]
    assert len({tuple(row) for row in np.array(labels)}) == 4
    assert same(found, epochs(4, **setting))
    assert same(found[2:], epochs(2, first_epoch=2, **setting))
    assert not same(found[:1], epochs(1, **{**setting, "seed": 8}))


@pytest.mark.parametrize("drawn", [False, True])
@pytest.mark.parametrize("augmentation", ["none", "strong"])
def test_targets_without_doubt_give_the_batches_of_plain_labels_bit_for_bit(drawn: bool, augmentation: str) -> None:
    plain = dataclasses.replace(soft(), targets=None)
    certain = dataclasses.replace(plain, targets=np.eye(CLASSES, dtype=np.float32)[plain.labels], drawn=drawn)
    setting = {"augment": config.build(node("augmentation", augmentation), ROW), "class_weights": (0.5, 1.0, 3.0)}
    assert same(epochs(3, split=plain, **setting), epochs(3, split=certain, **setting))


def test_the_weight_of_an_image_is_that_of_the_class_drawn() -> None:
    for _, labels, weights in epochs(2, split=soft(drawn=True), class_weights=(0.5, 1.0, 3.0))[1]:
        assert set(labels.ravel().tolist()) == {0.0, 1.0}
        assert weights.tolist() == [(0.5, 1.0, 3.0)[label] for label in labels.argmax(axis=1)]


def test_soft_targets_are_mixed_like_hard_ones() -> None:
    def half(batch: Any, labels: tf.Tensor, *_: tf.Tensor) -> tuple[Any, tf.Tensor]:
        return batch, 0.5 * labels + 0.5 * tf.roll(labels, 1, axis=0)

    split = soft(4)
    assert split.targets is not None
    ((images, labels),) = epochs(1, split=split, batch_size=4, augment=half)[0]
    (row,) = [int(np.flatnonzero((split.images == images[0]).all(axis=(1, 2, 3)))[0])]
    (before,) = [int(np.flatnonzero((split.images == images[3]).all(axis=(1, 2, 3)))[0])]
    np.testing.assert_allclose(labels[0], (split.targets[row] + split.targets[before]) / 2, rtol=1e-6)


def test_images_on_disk_give_the_batches_of_images_in_memory(tmp_path: Path) -> None:
    np.save(tmp_path / "images.npy", SPLIT.images)
    held = np.load(tmp_path / "images.npy", mmap_mode="r")
    split = Split.of_images(StoredRows(held), SPLIT.labels)
    options = {"seed": 3, "num_classes": 7, "augment": unchanged, "class_weights": None, "epochs": 1}
    pairs = [(training_batches(s, 8, **options).take(3), evaluation_batches(s, 8, 7)) for s in (SPLIT, split)]
    for one, other in zip(*pairs, strict=True):
        for batch, twin in zip(one, other, strict=True):
            for part, same in zip(flat(batch), flat(twin), strict=True):
                np.testing.assert_array_equal(part, same)


def test_all_inputs_of_a_row_stay_together_and_keep_their_values(tmp_path: Path) -> None:
    numbers = np.arange(ROWS)
    np.save(
        tmp_path / "face.npy", np.broadcast_to(numbers[:, None, None, None, None], (ROWS, 2, 4, 4, 1)).astype("uint8")
    )
    clips = StoredRows(np.load(tmp_path / "face.npy", mmap_mode="r"))
    sounds = np.repeat(-numbers[:, None] / ROWS, 5, axis=1).astype(np.float32)
    split = Split({"face": clips, "voice": sounds}, SPLIT.labels, kinds={"face": "clip", "voice": "sound"})
    options = {"seed": 3, "num_classes": CLASSES, "augment": unchanged, "class_weights": None, "epochs": 1}
    batches = [*training_batches(split, 4, **options).take(3), *evaluation_batches(split, 4, CLASSES)]
    assert [list(inputs) for inputs, _ in batches] == [["face", "voice"]] * 6
    for inputs, targets in batches:
        rows = inputs["face"].numpy()[:, 0, 0, 0, 0].astype(int)
        np.testing.assert_array_equal(inputs["face"], clips[rows].astype(np.float32))
        np.testing.assert_array_equal(inputs["voice"], sounds[rows])
        np.testing.assert_array_equal(targets["labels"], np.eye(CLASSES)[split.labels[rows]])
    sample, _ = augmented_sample(split, unchanged, CLASSES, seed=0, most=5)
    for name, values in split.inputs.items():
        assert sample[name].dtype == values.dtype
        np.testing.assert_array_equal(sample[name], values[:5])


def test_an_augmented_sample_is_of_pixels_and_the_larger_label() -> None:
    def brighten(batch: Any, labels: Any, seed: Any, progress: Any) -> tuple[Any, Any]:
        return {"image": batch["image"] + 10.4}, labels * 0.9 + 0.1 / 3

    split = Split.of_images(np.random.default_rng(0).integers(0, 200, (9, 6, 6, 1), np.uint8), np.arange(9) % 3)
    batch, labels = augmented_sample(split, brighten, 3, seed=0, most=5)
    assert list(batch) == ["image"]
    assert batch["image"].dtype == np.uint8
    assert np.array_equal(batch["image"], split.images[:5] + 10)
    assert labels.tolist() == [0, 1, 2, 0, 1]


def test_an_augmentation_is_not_rewritten_for_the_graph() -> None:
    def reads_a_tensor(batch: Any, labels: tf.Tensor, seed: tf.Tensor, progress: tf.Tensor) -> Any:
        return {"image": batch["image"] if progress < 1 else batch["image"] / 2}, labels

    with pytest.raises(tf.errors.OperatorNotAllowedInGraphError, match="AutoGraph"):
        epochs(1, augment=reads_a_tensor)
