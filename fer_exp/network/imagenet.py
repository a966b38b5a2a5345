"""ImageNet weights of the MobileNet backbones: from a file, from Keras' cache, or from Keras' public bucket.

Called by the model builders. Never fails silently: what was loaded is returned for the record, and falling back to
random weights, which only `auto` may do, is warned about.
"""

import base64
import hashlib
import logging
import os
import time
import urllib.request
import warnings
import zipfile
from email.message import Message
from pathlib import Path

import keras

from fer_exp.errors import WeightsError
from fer_exp.network import weights_file
from fer_exp.process import folders

log = logging.getLogger(__name__)

_BUCKET = "https://storage.googleapis.com/tensorflow/keras-applications"
_SIZES = {"mobilenet_v1": (128, 160, 192, 224), "mobilenet_v2": (96, 128, 160, 192, 224)}
_ALPHAS = {"mobilenet_v1": (0.25, 0.5, 0.75, 1.0), "mobilenet_v2": (0.35, 0.5, 0.75, 1.0, 1.3, 1.4)}
_LARGEST_FILE = 200 * 2**20


def load(backbone: keras.Model, weights: str | None, family: str, alpha: float, size: int) -> str:
    """Loads the weights that the configuration asks for into `backbone`.

    Args:
        backbone: The network without its top.
        weights: `auto`, `imagenet`, None for random, or a path.
        family: `mobilenet_v1` or `mobilenet_v2`.
        alpha: Width multiplier of the backbone.
        size: Side of its input in pixels.

    Returns:
        Where the weights came from: `random`, `imagenet (<file>, sha256 ...)` or `<path> (sha256 ...)`.

    Raises:
        WeightsError: If the file is missing, cannot be downloaded, or does not fit.
    """
    if weights is None:
        return "random"
    if weights not in ("auto", "imagenet"):
        return _load_file(backbone, Path(weights).expanduser())
    try:
        # auto must not keep a laptop without network waiting; who insists on imagenet gets the time a slow line needs.
        path = _fetch(family, alpha, size, seconds=20 if weights == "auto" else 600)
    except WeightsError as error:
        if weights == "imagenet":
            raise
        log.warning("model.weights=auto: training %s from RANDOM weights, because %s", family, error)
        return "random (auto: ImageNet weights were not at hand)"
    _load_file(backbone, path)
    return f"imagenet ({path.name}, sha256 {_short_sha256(path)})"


def _load_file(backbone: keras.Model, path: Path) -> str:
    if not path.is_file():
        raise WeightsError(
            f"`model.weights` must be auto, imagenet, null or an existing file. Received: model.weights={path}."
        )
    try:
        weights_file.check(path)
    except (ValueError, OSError, KeyError, RuntimeError, zipfile.BadZipFile) as error:  # RuntimeError: h5py's
        raise WeightsError(
            f"`model.weights` must be a file of weights: {error}. Received: model.weights={path}."
        ) from error
    try:
        with warnings.catch_warnings():
            # One for each layer of a file from an older Keras, which loads, or of one that does not fit, which raises.
            warnings.filterwarnings("ignore", message="Skipping nested container", category=UserWarning)
            backbone.load_weights(path)
    except (ValueError, OSError, KeyError, RuntimeError, zipfile.BadZipFile) as error:  # RuntimeError: h5py's
        reason = str(error).strip().splitlines()[0][:200]
        raise WeightsError(
            f"`model.weights` does not fit this backbone ({backbone.count_params():,} parameters): check model, "
            f"model.alpha, and that the file has no top. Received: model.weights={path}. Keras says: {reason}"
        ) from error
    return f"{path} (sha256 {_short_sha256(path)})"


def _short_sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def _fetch(family: str, alpha: float, size: int, seconds: float) -> Path:
    """Returns the local path of the weights, downloading them if needed within `seconds`."""
    if alpha not in _ALPHAS[family]:
        raise WeightsError(f"ImageNet weights of {family} exist for alpha in {_ALPHAS[family]}. Received: {alpha}.")
    rows = size if size in _SIZES[family] else 224
    if family == "mobilenet_v1":
        folder, text = "mobilenet", {0.25: "2_5", 0.5: "5_0", 0.75: "7_5", 1.0: "1_0"}[alpha]
        name = f"mobilenet_{text}_{rows}_tf_no_top.h5"
    else:
        folder, name = family, f"mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{alpha}_{rows}_no_top.h5"
    path = Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser() / "models" / name
    if not path.is_file():
        _download(f"{_BUCKET}/{folder}/{name}", path, seconds)
    return path


def _download(url: str, path: Path, seconds: float) -> None:
    deadline, digest = time.monotonic() + seconds, hashlib.md5(usedforsecurity=False)
    try:
        with (
            folders.put(path) as part,
            urllib.request.urlopen(url, timeout=3) as answer,  # noqa: S310 (fixed https)
            part.open("wb") as file,
        ):
            while block := answer.read(1 << 18):
                file.write(block)
                digest.update(block)
                if time.monotonic() > deadline or file.tell() > _LARGEST_FILE:
                    raise WeightsError(f"{url} did not arrive within {seconds:.0f} seconds.")
            if file.tell() != int(answer.headers.get("Content-Length", file.tell())):
                raise OSError("the connection ended early")  # reading in blocks does not notice by itself
            if digest.digest() != _stated(answer.headers, digest.digest()):
                raise OSError("it arrived damaged: its MD5 is not the one that the bucket states")
    except OSError as error:
        raise WeightsError(f"{url} cannot be downloaded ({error}); give a file: model.weights=<path>.") from error


def _stated(headers: Message, otherwise: bytes) -> bytes:
    """Returns the MD5 that the bucket states of a file; where it states none, what is given for that case."""
    hashes = dict(
        part.strip().split("=", 1) for part in ",".join(headers.get_all("x-goog-hash", [])).split(",") if part
    )
    return base64.b64decode(hashes["md5"]) if "md5" in hashes else otherwise
