"""From a Keras model to a `.tflite` file: the only place that knows TensorFlow's converter.

Called by the export options and `qat_file`. It must not know experiments, data sets or tracking.
"""

import contextlib
import functools
import re
import warnings
from collections.abc import Mapping
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
            model: Keras model, inputs (batch, ...) -> logits (batch, classes), float32.
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
        calibration: Mapping[str, np.ndarray] | None = None,
        own_ranges: bool = False,
    ) -> bytes:
        """Converts the model to a self-contained `.tflite` file.

        Batch size 1, inputs by name, built-in operations only (a model that needs others fails here, not on the phone),
        pixels in [0, 255] and sounds in [-1, 1] in, probabilities out, and the class names inside the file. All are
        float32; those of `int8` are uint8, sounds and probabilities with the scales that the file states.

        Args:
            kind: `float32`; `float16` for weights of half the size; `dynamic` for int8 weights with float activations;
                `int8` for integers alone, weights per channel.
            class_names: Name of each class, in label order.
            calibration: Rows of each input by its name, (n, ...), that the ranges of `int8` are taken from.
            own_ranges: The model rounds its activations itself, as one of `quantization_aware` does: the ranges of
                `int8` are those it rounds with.

        Returns:
            The file's content.

        Raises:
            ExportError: If the model needs other operations; the message names them.
            ValueError: If `int8` is asked for without rows to calibrate with.
        """
        import tensorflow as tf

        from fer_exp.network import named

        examples = _examples({} if calibration is None else calibration)
        if kind == "int8" and not (examples or own_ranges):
            raise ValueError("`calibration` must hold rows when kind is int8.")
        converter = tf.lite.TFLiteConverter.from_saved_model(self._written)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        if kind != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if kind == "float16":
            converter.target_spec.supported_types = [tf.float16]
        if kind == "int8" and not own_ranges:  # else the converter finds them, and refuses to be told the operations
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            # Of one input by its place: by names, the converter answers with an interpreter that announces its own end.
            only = len(named.shapes(self._model)) == 1
            converter.representative_dataset = lambda: (list(row.values()) if only else row for row in examples)
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

        from fer_exp.network import named

        model, shapes = self._model, named.shapes(self._model)
        signature = [tf.TensorSpec((1, *shape), tf.float32, name=name) for name, shape in shapes.items()]

        def answer(*tensors: tf.Tensor) -> tf.Tensor:
            return tf.nn.softmax(named.call(model, dict(zip(shapes, tensors, strict=True))))

        traced = tf.function(answer, signature, autograph=False).get_concrete_function()
        constant = convert_variables_to_constants_v2(traced)
        module = tf.Module()
        module.serve = tf.function(lambda *tensors: constant(*tensors)[0], signature, autograph=False)
        with quiet.held_back():
            tf.saved_model.save(module, str(self._folder), signatures=module.serve)
        return str(self._folder)


def convert(
    model: "keras.Model",
    kind: Kind,
    class_names: tuple[str, ...],
    calibration: Mapping[str, np.ndarray] | None = None,
    own_ranges: bool = False,
) -> bytes:
    """Converts a model of which one file is wanted; see `Traced.convert`."""
    with Traced(model) as traced:
        return traced.convert(kind, class_names, calibration, own_ranges)


def _examples(calibration: Mapping[str, np.ndarray]) -> list[dict[str, np.ndarray]]:
    """Returns rows as the converter takes them: each input by its name, float32 (1, ...)."""
    full = {
        name: _of_full_range(values) if values.dtype == np.uint8 else values for name, values in calibration.items()
    }
    rows = len(next(iter(full.values()), ()))
    return [{name: values[row][None].astype(np.float32) for name, values in full.items()} for row in range(rows)]


def _of_full_range(images: np.ndarray) -> np.ndarray:
    """Returns images of which one holds the value 255: without it bytes would not go in as they are.

    The scale of the input follows from the largest value that calibration sees. In a set of dark images one pixel of
    the brightest one is changed, at its corner.
    """
    if not len(images) or images.max() == _WHITE:
        return images
    changed = images.copy()
    changed.reshape(len(images), -1)[images.reshape(len(images), -1).max(axis=1).argmax(), 0] = _WHITE
    return changed


def _converted(converter: "tf.lite.TFLiteConverter") -> bytes:
    from tensorflow.lite.python.convert_phase import ConverterError

    try:
        with quiet.held_back(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "(?s).*tf.lite.Interpreter is deprecated")
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
