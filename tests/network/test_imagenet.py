"""Weights come from where the configuration says, or the run says why not; nothing is loaded silently wrong."""

import base64
import hashlib
import io
import logging
import re
import urllib.request
from email.message import Message
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from fer_exp.errors import WeightsError
from fer_exp.network import imagenet

SIZE, ALPHA = 32, 0.25
CACHED_NAME = "mobilenet_2_5_224_tf_no_top.h5"  # the file Keras itself uses for other sizes than 128, 160, 192


def backbone(alpha: float = ALPHA) -> keras.Model:
    return keras.applications.MobileNet(
        input_shape=(SIZE, SIZE, 3), alpha=alpha, include_top=False, weights=None, name="backbone"
    )


@pytest.fixture(scope="module")
def trained() -> keras.Model:
    return backbone()


@pytest.fixture(scope="module")
def fresh() -> keras.Model:
    return backbone()


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No network and an empty Keras folder of its own, which is returned."""

    def refuse(url: str, timeout: float) -> None:
        raise OSError(f"no route to {url}")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    return tmp_path / "keras"


class Answer(io.BytesIO):
    """What `urlopen` returns, as far as it is used."""

    def __init__(self, content: bytes, announced: int, of: bytes | None = None) -> None:
        super().__init__(content)
        self.headers = Message()
        self.headers["Content-Length"] = str(announced)
        if of is not None:
            self.headers["x-goog-hash"] = "crc32c=AAAAAA=="
            self.headers["x-goog-hash"] = f"md5={base64.b64encode(hashlib.md5(of).digest()).decode()}"


def load(model: keras.Model, weights: str | None, alpha: float = ALPHA) -> str:
    return imagenet.load(model, weights, "mobilenet_v1", alpha, SIZE)


def same_weights(one: keras.Model, other: keras.Model) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one.get_weights(), other.get_weights(), strict=True))


def test_null_keeps_the_random_weights_and_says_so(fresh: keras.Model) -> None:
    assert load(fresh, None) == "random"


@pytest.mark.parametrize("name", ["mine.weights.h5", "mine.h5"])
def test_weights_from_a_file_are_loaded_and_the_origin_names_the_file_and_its_hash(
    name: str, trained: keras.Model, fresh: keras.Model, tmp_path: Path
) -> None:
    path = tmp_path / name
    trained.save_weights(path) if name == "mine.weights.h5" else trained.save(path)
    fresh.set_weights([weight + 1 for weight in fresh.get_weights()])
    assert not same_weights(trained, fresh)
    assert load(fresh, str(path)) == f"{path} (sha256 {hashlib.sha256(path.read_bytes()).hexdigest()[:16]})"
    assert same_weights(trained, fresh)


def test_a_missing_file_is_named(fresh: keras.Model, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=rf"must be auto, imagenet, null or an existing file. .*{tmp_path}/no.h5"):
        load(fresh, f"{tmp_path}/no.h5")


def test_a_file_of_another_width_says_that_it_does_not_fit_and_nothing_else(
    trained: keras.Model, tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    path = tmp_path / "wide.weights.h5"
    trained.save_weights(path)
    with pytest.raises(WeightsError) as caught:
        load(backbone(alpha=0.1), str(path))
    assert "`model.weights` does not fit this backbone (39,881 parameters): check model, model.alpha" in str(
        caught.value
    )
    assert f"Received: model.weights={path}. Keras says: " in str(caught.value)
    assert not [warning for warning in recwarn if warning.category is UserWarning]


@pytest.mark.parametrize("name", ["a.weights.h5", "a.h5", "a.keras", "a.bin"])
def test_a_file_that_is_no_weights_file_is_refused(name: str, fresh: keras.Model, tmp_path: Path) -> None:
    (tmp_path / name).write_text("this is not a weights file")
    with pytest.raises(WeightsError, match="must be a file of weights|does not fit this backbone"):
        load(fresh, str(tmp_path / name))


def test_a_damaged_file_is_refused(trained: keras.Model, fresh: keras.Model, tmp_path: Path) -> None:
    path = tmp_path / "a.weights.h5"
    trained.save_weights(path)
    content = path.read_bytes()
    for damaged in (content[:50_000], content[:3_000] + b"\xff" * 17_000 + content[20_000:]):
        path.write_bytes(damaged)
        with pytest.raises(WeightsError, match="must be a file of weights|does not fit this backbone"):
            load(fresh, str(path))


def test_imagenet_without_network_is_an_error_that_offers_a_file(fresh: keras.Model, offline: Path) -> None:
    with pytest.raises(WeightsError) as caught:
        load(fresh, "imagenet")
    assert f"{CACHED_NAME} cannot be downloaded (no route to " in str(caught.value)
    assert "give a file: model.weights=<path>." in str(caught.value)
    assert not list(offline.rglob("*.part"))


@pytest.mark.parametrize("changed", [False, True])
def test_what_is_downloaded_is_what_the_bucket_states_and_its_sha256_is_recorded(
    changed: bool, trained: keras.Model, fresh: keras.Model, offline: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    trained.save(tmp_path / "a.h5")  # Keras' own files are in the same old HDF5 format
    content = (tmp_path / "a.h5").read_bytes()
    arrived = content[:-1] + bytes([content[-1] ^ 1]) if changed else content
    monkeypatch.setattr(urllib.request, "urlopen", lambda url, timeout: Answer(arrived, len(content), of=content))
    if changed:
        with pytest.raises(WeightsError, match="it arrived damaged: its MD5 is not the one that the bucket states"):
            load(fresh, "imagenet")
        assert not list(offline.rglob("*.h5"))
        return
    origin = load(fresh, "imagenet")
    assert origin == f"imagenet ({CACHED_NAME}, sha256 {hashlib.sha256(content).hexdigest()[:16]})"


def test_auto_without_network_goes_on_from_random_weights_warns_and_records_it(
    fresh: keras.Model, offline: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = fresh.get_weights()
    with caplog.at_level(logging.WARNING):
        origin = load(fresh, "auto")
    assert origin == "random (auto: ImageNet weights were not at hand)"
    assert "training mobilenet_v1 from RANDOM weights" in caplog.text
    assert all(np.array_equal(old, new) for old, new in zip(before, fresh.get_weights(), strict=True))


def test_a_cached_file_is_used_without_network(trained: keras.Model, fresh: keras.Model, offline: Path) -> None:
    path = offline / "models" / CACHED_NAME
    path.parent.mkdir(parents=True)
    trained.save(path)  # Keras' own files are in the same old HDF5 format
    fresh.set_weights([weight + 1 for weight in fresh.get_weights()])
    for weights in ("auto", "imagenet"):
        assert re.fullmatch(rf"imagenet \({CACHED_NAME}, sha256 [0-9a-f]{{16}}\)", load(fresh, weights))
    assert same_weights(trained, fresh)


def test_a_width_without_imagenet_weights_names_those_that_have_them(fresh: keras.Model, offline: Path) -> None:
    with pytest.raises(WeightsError, match=r"exist for alpha in \(0.25, 0.5, 0.75, 1.0\). Received: 0.3"):
        load(fresh, "imagenet", alpha=0.3)


@pytest.mark.parametrize(
    ("family", "alpha", "size", "url"),
    [
        ("mobilenet_v1", 0.5, 128, "mobilenet/mobilenet_5_0_128_tf_no_top.h5"),
        ("mobilenet_v1", 1.0, 96, "mobilenet/mobilenet_1_0_224_tf_no_top.h5"),
        ("mobilenet_v2", 0.35, 96, "mobilenet_v2/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_96_no_top.h5"),
        ("mobilenet_v2", 1.0, 48, "mobilenet_v2/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5"),
    ],
)
def test_a_download_asks_for_the_file_keras_applications_uses(
    family: str, alpha: float, size: int, url: str, offline: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def answer(address: str, timeout: float) -> Any:
        asked.append(address)
        return Answer(b"weights", announced=7)

    monkeypatch.setattr(urllib.request, "urlopen", answer)
    path = imagenet._fetch(family, alpha, size, seconds=5)
    assert asked == [f"https://storage.googleapis.com/tensorflow/keras-applications/{url}"]
    assert path == offline / "models" / url.split("/")[1]
    assert path.read_bytes() == b"weights"


def test_a_download_that_ends_early_is_not_kept(
    fresh: keras.Model, offline: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(urllib.request, "urlopen", lambda url, timeout: Answer(b"half", announced=8))
    with pytest.raises(WeightsError, match="the connection ended early"):
        load(fresh, "imagenet")
    assert not list((offline / "models").iterdir())
