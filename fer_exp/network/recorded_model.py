"""The Keras model that a finished run has recorded, fetched and refused if it does not fit.

Called by `inheritance` and `teacher`, which have data it must fit, and by `trained`, which has none. Files of a store
are data: a model is loaded without running code, and of limited size. It must not know what the model is for.
"""

import json
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import keras
import pandas as pd

from fer_exp.data.inputs import Spec, Specs, from_plain, sentence
from fer_exp.network import named, weights_file
from fer_exp.record import layout

_MOST_BYTES = 2**31  # of a model's file
# What Keras, its layers and the readers of archives raise where a file is damaged or not what it should be.
_DAMAGED = (
    *(ValueError, TypeError, LookupError, AttributeError, RuntimeError, OSError, EOFError),
    *(zipfile.BadZipFile, zlib.error),
)


def load(
    download: Callable[[str, Path], Path | None],
    folder: Path,
    specs: Specs,
    class_names: tuple[str, ...],
) -> keras.Model:
    """Loads the model of a run.

    Args:
        download: Copies a recorded file into a folder and returns where it is; None if the run has none.
        folder: Where the files go.
        specs: What the model must take.
        class_names: Names that the model must tell apart, in this order.

    Raises:
        ValueError: If there is no model, or it does not fit; the message says what is demanded, and why it is not met.
    """
    names, file = _fetched(download, folder)
    if names != class_names:
        raise ValueError(
            f"must tell the classes of this data set apart, in their order: {', '.join(class_names)}. "
            f"Its classes: {', '.join(names)}."
        )
    model = _loaded(file)
    if not named.fits(model, specs):
        raise ValueError(f"must take {sentence(specs)} as the data set has it; it takes {_taken(model)}.")
    return model


def read(
    download: Callable[[str, Path], Path | None], folder: Path, said: str | None
) -> tuple[keras.Model, dict[str, Spec], tuple[str, ...]]:
    """Loads the model of a run, what it takes, and the names of the classes that it tells apart, in their order.

    Args:
        download: Copies a recorded file into a folder and returns where it is; None if the run has none.
        folder: Where the files go.
        said: What the run's tag `inputs` says of them; runs of version 0.1 have none, and take one image.

    Raises:
        ValueError: If there is no model that takes these inputs and tells these classes apart; the message says what is
            demanded, and why it is not met.
    """
    names, file = _fetched(download, folder)
    model = _loaded(file)
    specs = _specs(model, said)
    if not named.fits(model, specs) or not all(spec.fits() for spec in specs.values()):
        raise ValueError(f"must take {sentence(specs)} as the run says; it takes {_taken(model)}.")
    if model.output_shape[1:] != (len(names),):
        returned = "x".join(map(str, model.output_shape[1:]))
        raise ValueError(f"must return a value for each of its {len(names)} classes; it returns {returned}.")
    return model, specs, names


def _specs(model: keras.Model, said: str | None) -> dict[str, Spec]:
    if said is not None:
        try:
            return from_plain(json.loads(said))
        except (ValueError, RecursionError) as error:
            raise ValueError(f"must say in its tag `inputs` what it takes: {error}.") from error
    return {
        name: Spec(name, "image", tuple(size or 0 for size in shape)) for name, shape in named.shapes(model).items()
    }


def _fetched(download: Callable[[str, Path], Path | None], folder: Path) -> tuple[tuple[str, ...], Path]:
    """Returns the names of a run's classes and the file of its model."""
    table, file = download(layout.PREDICTIONS, folder), download(layout.MODEL, folder)
    if table is None or file is None:
        raise ValueError(f"must have recorded {layout.MODEL if file is None else layout.PREDICTIONS}, and has not.")
    if file.stat().st_size > _MOST_BYTES:
        raise ValueError(f"must have a model of at most {_MOST_BYTES:,} bytes; it has {file.stat().st_size:,}.")
    return _class_names(table), file


def _class_names(table: Path) -> tuple[str, ...]:
    columns = pd.read_csv(table, nrows=0).columns
    return tuple(column.removeprefix("p_") for column in columns if column.startswith("p_"))


def _loaded(file: Path) -> keras.Model:
    try:
        weights_file.check(file)
    except _DAMAGED as error:
        raise ValueError(
            f"must have a model whose file can be unpacked safely: {' '.join(str(error).split())}."
        ) from error
    try:
        model: keras.Model = keras.models.load_model(file, compile=False, safe_mode=True)
    except _DAMAGED as error:
        reason = " ".join(str(error).split())[:300]
        raise ValueError(f"must have a model that Keras loads without running code; Keras says: {reason}") from error
    return model


def _taken(model: keras.Model) -> str:
    return ", ".join("x".join(map(str, shape)) for shape in named.shapes(model).values())
