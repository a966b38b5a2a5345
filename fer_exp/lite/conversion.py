"""From a Keras model to a `.tflite` file: the only place that knows TensorFlow's converter.

Called by the export options and `qat_file`. It must not know experiments, data sets or tracking.
"""

import contextlib
import functools
import re
from typing import TYPE_CHECKING, Literal

import numpy as np

from fer_exp.errors import ExportError
from fer_exp.lite.model_file import with_labels
from fer_exp.process import quiet, temporary

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

Kind = Literal["float32", "float16", "dynamic", "int8"]
_WHITE = 255


class Traced:
    """A model as TensorFlow's converter reads it, made once for the files of all kinds.

    A context manager: what it writes is temporary.
    """

    def __init__(self, model: "keras.Model") -> None:
        """Takes the model as it is when the first file is asked for.

        Args:
            model: Keras model (batch, height, width, channels) in [0, 255] -> logits (batch, classes), float32.
        """
        self._model = model
        self._opened = contextlib.ExitStack()
        self._folder = self._opened.enter_context(temporary.folder("traced"))

    def __enter__(self) -> "Traced":
        """Returns itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Removes what was written."""
        self._opened.close()

    def convert(
        self,
        kind: Kind,
        class_names: tuple[str, ...],
        calibration: np.ndarray | None = None,
        own_ranges: bool = False,
    ) -> bytes:
        """Converts the model to a self-contained `.tflite` file.

        Batch size 1, built-in operations only (a model that needs others fails here, not on the phone), pixels in
        [0, 255] in, probabilities out, and the class names inside the file. Pixels and probabilities are float32;
        those of `int8` are uint8, the probabilities with the scale that the file states.

        Args:
            kind: `float32`; `float16` for weights of half the size; `dynamic` for int8 weights with float activations;
                `int8` for integers alone, weights per channel.
            class_names: Name of each class, in label order.
            calibration: uint8 (n, height, width, channels), images that the ranges of `int8` are taken from.
            own_ranges: The model rounds its activations itself, as one of `quantization_aware` does: the ranges of
                `int8` are those it rounds with.

        Returns:
            The file's content.

        Raises:
            ExportError: If the model needs other operations; the message names them.
            ValueError: If `int8` is asked for without images to calibrate with.
        """
        import tensorflow as tf

        pixels = (
            [] if calibration is None else [image[None].astype(np.float32) for image in _of_full_range(calibration)]
        )
        if kind == "int8" and not (pixels or own_ranges):
            raise ValueError("`calibration` must hold images when kind is int8.")
        converter = tf.lite.TFLiteConverter.from_saved_model(self._written)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        if kind != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if kind == "float16":
            converter.target_spec.supported_types = [tf.float16]
        if kind == "int8" and not own_ranges:  # else the converter finds them, and refuses to be told the operations
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.representative_dataset = lambda: ([image] for image in pixels)
        if kind == "int8":
            converter.inference_input_type = converter.inference_output_type = tf.uint8
        return with_labels(_converted(converter), class_names)

    @functools.cached_property
    def _written(self) -> str:
        """The folder of a SavedModel whose weights are constants.

        The converter reads one with variables three times as slowly, and Keras' own archive of a model takes longer to
        write than a file takes to convert.
        """
        import tensorflow as tf
        from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

        model = self._model
        signature = [tf.TensorSpec((1, *model.input_shape[1:]), tf.float32, name="image")]
        traced = tf.function(
            lambda image: tf.nn.softmax(model(image, training=False)), signature, autograph=False
        ).get_concrete_function()
        constant = convert_variables_to_constants_v2(traced)
        module = tf.Module()
        module.serve = tf.function(lambda image: constant(image)[0], signature, autograph=False)
        with quiet.held_back():
            tf.saved_model.save(module, str(self._folder), signatures=module.serve)
        return str(self._folder)


def convert(
    model: "keras.Model",
    kind: Kind,
    class_names: tuple[str, ...],
    calibration: np.ndarray | None = None,
    own_ranges: bool = False,
) -> bytes:
    """Converts a model of which one file is wanted; see `Traced.convert`."""
    with Traced(model) as traced:
        return traced.convert(kind, class_names, calibration, own_ranges)


def _of_full_range(images: np.ndarray) -> np.ndarray:
    """Returns images of which one holds the value 255: without it bytes would not go in as they are.

    The scale of the input follows from the largest value that calibration sees. In a set of dark images one pixel of
    the brightest one is changed, at its corner.
    """
    if not len(images) or images.max() == _WHITE:
        return images
    changed = images.copy()
    changed[images.reshape(len(images), -1).max(axis=1).argmax(), 0, 0, 0] = _WHITE
    return changed


def _converted(converter: "tf.lite.TFLiteConverter") -> bytes:
    from tensorflow.lite.python.convert_phase import ConverterError

    try:
        with quiet.held_back():
            content: bytes = converter.convert()
    except ConverterError as error:
        missing = re.search(r"^(?:TF Select|Custom) ops: (.+)$", str(error), re.MULTILINE)
        if missing is None:
            raise  # a defect of the converter or ours, whose whole text is needed
        raise ExportError(
            "A `.tflite` file must do with the built-in operations of LiteRT. "
            f"Received: a model that needs {missing.group(1)}. Build the model without it, or use export=none."
        ) from error
    return content
