"""The file of the kind `int8_qat`: trained with the rounding, and kept only if that is no worse than rounding later.

Called by the `tflite` export. Both files answer the validation images themselves, and the better one gets the name. It
must not know how a run trains: the export is given a function that does.
"""

import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from fer_exp import process
from fer_exp.errors import TrainingDivergedError
from fer_exp.export import Exportable
from fer_exp.lite import conversion, litert, model_file, quantization_aware
from fer_exp.process import temporary

log = logging.getLogger(__name__)


def write(
    exportable: Exportable, afterwards: bytes, rows: Mapping[str, np.ndarray], path: Path, epochs: int, peak: float
) -> dict[str, float]:
    """Writes the file.

    Args:
        exportable: What is exported.
        afterwards: Content of the int8 file that was rounded after the training.
        rows: Images by the name of the input, uint8 (n, height, width, channels), to calibrate with.
        path: The file.
        epochs: Epochs of the training with rounding.
        peak: Its peak learning rate.

    Returns:
        Numbers to track: `trained` (1, or 0 if it is the file that was rounded afterwards after all), and
        `val_accuracy_qat` and `val_accuracy_post_training` of the two files; of a training that diverged there is none.

    Raises:
        ExportError: If the model has a layer that is not understood, or needs floats.
    """
    names = exportable.splits.class_names
    (images,) = rows.values()
    network = quantization_aware.prepare(exportable.model, images)
    found = {"trained": 0.0, "val_accuracy_post_training": _val_accuracy(afterwards, exportable)}
    try:
        exportable.fine_tune(network.model, epochs, peak)
    except TrainingDivergedError as error:
        trained, reason = b"", f"training with the rounding failed. {error}"
    else:
        trained = conversion.convert(network.deployed(), "int8", names, own_ranges=True)
        found["val_accuracy_qat"] = _val_accuracy(trained, exportable)
        reason = (
            f"training with the rounding reached a validation accuracy of {found['val_accuracy_qat']:.4f}, rounding "
            f"afterwards {found['val_accuracy_post_training']:.4f}."
        )
    keep = found.get("val_accuracy_qat", -1.0) >= found["val_accuracy_post_training"]
    if keep:
        found["trained"] = 1.0
        exportable.console.print(f"int8_qat: {reason}", highlight=False, soft_wrap=True)
    else:
        log.warning("int8_qat is the file that was rounded after the training: %s", reason)
    model_file.write(path, trained if keep else afterwards)
    litert.require_full_integer(path)
    return found


def _val_accuracy(content: bytes, exportable: Exportable) -> float:
    val = exportable.splits.val
    with temporary.folder("int8") as folder:
        file = folder / "int8.tflite"
        file.write_bytes(content)
        answers = litert.predict(file, val.inputs, process.cores())
    return float(np.mean(answers.argmax(axis=1) == val.labels))
