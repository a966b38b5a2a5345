"""Maps point to where the evidence is: in models with a backbone inside, with dense layers, with a crop."""

import keras
import numpy as np
import pytest
from contracts import node
from keras import layers

from fer_exp.assessment import grad_cam, grad_cam_sheet, metrics
from fer_exp.data.inputs import image
from fer_exp.lite import folding
from fer_exp.options import config

SIDE = 48
MODELS = {
    "cnn": {"widths": [8, 8], "head_units": 16, "block_dropout": 0.0, "head_dropout": 0.0},
    "fer_resnet": {"stem_width": 8, "widths": [8, 16], "depths": [1, 1], "crop": None, "dropout": 0.0},
    # Its last map has 5 x 5 cells.
    "mobilenet_v1": {"alpha": 0.25, "input_size": 160, "weights": None, "head_units": 4, "dropout": 0.0},
    "mobilenet_v2": {"alpha": 0.35, "input_size": 160, "weights": None, "head_units": 4, "dropout": 0.0},
}


def build(option: str, **changes: object) -> keras.Model:
    keras.utils.set_random_seed(0)
    return config.build(node("model", option, **{**MODELS[option], **changes}), image((SIDE, SIDE, 1)), 2)


def marked(count: int, seed: int) -> np.ndarray:
    """Noise, with a striped square in the lower right corner."""
    images = np.random.default_rng(seed).integers(60, 120, (count, SIDE, SIDE, 1)).astype(np.uint8)
    images[:, 32:, 32:] = 0
    images[:, 32::4, 32:] = images[:, 33::4, 32:] = 255
    return images


def share_in_corner(maps: np.ndarray) -> np.ndarray:
    """Returns how much of each map lies in the quarter around the mark."""
    return maps[:, SIDE // 2 :, SIDE // 2 :].sum(axis=(1, 2)) / maps.sum(axis=(1, 2))


def teach_to_find_the_mark(model: keras.Model) -> None:
    """Sets the last layers by hand: the second class is told by what only the cells of the marked corner hold."""
    pool = next(layer for layer in model.layers if isinstance(layer, layers.GlobalAveragePooling2D))
    cells = keras.Model(model.inputs[0], pool.input)(marked(4, 0).astype(np.float32), training=False).numpy()
    wanted = np.full(cells.shape[:3], -0.05, np.float32)
    first = cells.shape[1] * 2 // 3 + 1
    wanted[:, first:, first:] = 1
    direction = np.linalg.lstsq(cells.reshape(-1, cells.shape[-1]), wanted.ravel(), rcond=1e-5)[0]
    *_, last = model.layers
    if "head" in [layer.name for layer in model.layers]:
        units = model.get_layer("head").units
        model.get_layer("head").set_weights([np.repeat(direction[:, None], units, 1), np.ones(units)])
        last.set_weights([np.tile(np.float32([[-1, 1]]), (units, 1)), np.zeros(2)])
    else:
        last.set_weights([np.stack([-direction, direction], axis=1), np.zeros(2)])


@pytest.mark.parametrize("option", ["fer_resnet", "mobilenet_v1", "mobilenet_v2"])
def test_the_map_points_to_the_corner_that_tells_the_class_also_inside_a_backbone(option: str) -> None:
    model = build(option)
    teach_to_find_the_mark(model)
    explainer, images = grad_cam.Explainer(model), marked(4, 0)
    found = explainer.maps(images, np.ones(4, int))
    assert found.shape == images.shape[:3]
    assert (found.min(), found.max()) == (0, 1)
    assert share_in_corner(found).min() > 0.7  # of a quarter of the image
    against = explainer.maps(images, np.zeros(4, int))
    assert share_in_corner(against).max() < 0.3


def test_the_map_of_the_cnn_points_to_the_corner_that_its_dense_layer_reads() -> None:
    model = build("cnn")
    dense = next(layer for layer in model.layers if isinstance(layer, layers.Dense))
    kernel = dense.get_weights()[0].reshape(22, 22, 8, 16)
    kernel[:15], kernel[:, :15] = 0, 0
    dense.set_weights([kernel.reshape(-1, 16)])
    explainer = grad_cam.Explainer(model)
    assert explainer.cells == (22, 22)
    found = np.maximum(*(explainer.maps(marked(4, 0), np.full(4, number)) for number in (0, 1)))
    assert share_in_corner(found).min() > 0.99


def corner_reader() -> keras.Model:
    """A map of 6 x 6 cells, of which a dense layer reads the upper left one alone, with weights set by hand."""
    inputs = keras.Input((SIDE, SIDE, 1))
    x = layers.AveragePooling2D(8)(layers.Conv2D(1, 1, use_bias=False)(inputs))
    model = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(x)))
    kernel = np.zeros((36, 2), np.float32)
    kernel[0] = 1, -1
    model.set_weights([np.ones((1, 1, 1, 1), np.float32), kernel, np.zeros(2, np.float32)])
    return model


def test_a_dense_layer_that_reads_one_cell_gives_a_map_of_that_cell_and_none_for_the_other_class() -> None:
    explainer = grad_cam.Explainer(corner_reader())
    maps = explainer.maps(np.full((2, SIDE, SIDE, 1), 200, np.uint8), np.array([0, 1]))
    assert np.unravel_index(maps[0].argmax(), maps[0].shape) <= (8, 8)
    assert maps[0, 20:].max() == maps[0, :, 20:].max() == 0
    assert maps[1].max() == 0  # everything there speaks against it


def test_what_a_model_crops_away_says_nothing() -> None:
    explainer = grad_cam.Explainer(build("fer_resnet", crop=24))
    maps = np.maximum(*(explainer.maps(marked(4, 0), np.full(4, number)) for number in (0, 1)))
    assert maps[:, :12].max() == maps[:, :, 36:].max() == 0
    assert maps[:, 12:36, 12:36].max() > 0.9


def test_a_model_without_a_map_is_told_of() -> None:
    inputs = keras.Input((8, 8, 1))
    model = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(layers.MaxPooling2D(4)(inputs))), name="flat")
    with pytest.raises(grad_cam.NoMapError, match="flat has no map of 5 x 5 cells that all of it goes through"):
        grad_cam.Explainer(model)


def test_a_model_whose_layers_take_more_than_one_list_is_told_of() -> None:
    inputs = keras.Input((6, 6, 4))
    x = layers.MultiHeadAttention(1, 4)(inputs, inputs)
    model = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(x)), name="attends")
    with pytest.raises(grad_cam.NoMapError, match="attends cannot be written out flat: "):
        grad_cam.Explainer(model)


def test_the_model_is_left_as_it_is() -> None:
    model = build("cnn")
    before, names = model.get_weights(), [layer.name for layer in model.layers]
    grad_cam.Explainer(model)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    assert [layer.name for layer in model.layers] == names
    assert folding.read(model).steps


def answers() -> metrics.Evaluation:
    labels = np.array([0, 0, 0, 1, 1, 1, 0, 1])
    first = np.array([0.9, 0.8, 0.7, 0.1, 0.2, 0.6, 0.3, 0.95])
    return metrics.evaluate(np.stack([first, 1 - first], 1), labels, ("calm", "glad"))


def test_hits_are_drawn_by_the_seed_one_of_each_class_in_turn_and_misses_are_the_surest() -> None:
    choices = [grad_cam_sheet.choose(answers(), 2, seed) for seed in range(8)]
    assert all(sorted(answers().labels[choice.hits]) == [0, 1] for choice in choices)
    assert len({tuple(choice.hits) for choice in choices}) > 1
    assert grad_cam_sheet.choose(answers(), 2, 3).hits.tolist() == choices[3].hits.tolist()
    assert choices[0].misses.tolist() == [7, 6]  # 0.95 and 0.7, before 0.6
    assert len(grad_cam_sheet.choose(answers(), 50, 0).hits) == 5


def test_the_sheet_names_hits_and_misses() -> None:
    images = marked(8, 0)
    figure = grad_cam_sheet.draw(grad_cam.Explainer(corner_reader()), answers(), lambda rows: images[rows], 3, 0)
    shown = [text.get_text() for text in figure.axes[0].texts]
    assert "glad → calm 95 %" in shown
    assert "calm → glad 70 %" in shown
    assert len(figure.axes[0].images) == 3 * 2 + 3 * 3


def test_where_a_map_is_zero_the_image_stays_as_it_is() -> None:
    image = marked(1, 0)[0]
    strength = np.zeros((SIDE, SIDE), np.float32)
    strength[0, 0] = 1
    found = grad_cam_sheet.blended(image, strength)
    assert (found[1:] == image[1:]).all()
    assert found[0, 0].tolist() != [int(image[0, 0, 0])] * 3
