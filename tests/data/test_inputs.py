"""What a row consists of is said in words and in JSON, and its inputs are chosen and put together alike."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer_exp.data import inputs
from fer_exp.data.inputs import Spec, Specs, image
from fer_exp.data.stored_rows import StoredRows

FACE, VOICE = Spec("face", "clip", (12, 48, 48, 1), 25.0), Spec("voice", "sound", (16000,), 8000.0)
BOTH = {"face": FACE, "voice": VOICE}
RNG = np.random.default_rng(0)
ROWS = {
    "face": RNG.integers(0, 256, (10, 2, 3, 3, 1), np.uint8),
    "voice": RNG.uniform(-1, 1, (10, 7)).astype(np.float32),
}


@pytest.mark.parametrize("specs", [image((48, 48, 3)), {"face": FACE}, BOTH, {"voice": Spec("voice", "sound", (5,))}])
def test_what_inputs_are_comes_back_from_json_as_it_was(specs: Specs) -> None:
    found = inputs.from_plain(json.loads(json.dumps(inputs.as_plain(specs))))
    assert found == specs
    assert list(found) == list(specs)


@pytest.mark.parametrize(
    "plain",
    [
        None,
        "image",
        [],
        {},
        {"image": None},
        {"image": [48, 48, 1]},
        {"image": {"shape": [48, 48, 1]}},
        {"image": {"kind": "image"}},
        {"image": {"kind": "smell", "shape": [48, 48, 1]}},
        {"image": {"kind": ["image"], "shape": [48, 48, 1]}},
        {"image": {"kind": "image", "shape": 48}},
        {"image": {"kind": "image", "shape": ["a", "b", "c"]}},
        {"image": {"kind": "image", "shape": [48, 48]}},
        {"image": {"kind": "image", "shape": [48, 48, 2]}},
        {"image": {"kind": "image", "shape": [48, 0, 1]}},
        {"image": {"kind": "image", "shape": [-48, 48, 1]}},
        {"image": {"kind": "image", "shape": [float("inf"), 48, 1]}},
        {"face": {"kind": "clip", "shape": [48, 48, 1]}},
        {"voice": {"kind": "sound", "shape": []}},
        {"voice": {"kind": "sound", "shape": [8000], "rate": "fast"}},
        {"voice": {"kind": "sound", "shape": [8000]}, "image": {"kind": "image", "shape": [48, 48, 2]}},
    ],
)
def test_what_says_nothing_of_inputs_is_refused(plain: Any) -> None:
    with pytest.raises(ValueError, match=r"^inputs must have (a name, a kind and a shape|the shape of their kind)"):
        inputs.from_plain(plain)


@pytest.mark.parametrize("rate", [0, -25, float("nan"), float("inf")])
def test_a_rate_at_which_nothing_can_be_taken_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match=r"^inputs must have"):
        inputs.from_plain({"face": {"kind": "clip", "shape": [12, 48, 48, 1], "rate": rate}})


def test_the_only_input_of_a_kind_is_found_and_none_or_several_are_refused() -> None:
    assert inputs.only(BOTH, "sound") == VOICE
    with pytest.raises(ValueError, match=r"must hold one image\. Received: face \(clip 12x48x48x1\), voice \(sound"):
        inputs.only(BOTH, "image")
    with pytest.raises(ValueError, match="must hold one clip"):
        inputs.only({**BOTH, "other": FACE}, "clip")


@pytest.mark.parametrize(
    ("specs", "sentence", "described", "one"),
    [
        (image((48, 36, 1)), "image 48x36x1", "48x36, grey", "an image"),
        (image((48, 36, 3)), "image 48x36x3", "48x36, RGB", "an image"),
        ({"face": FACE}, "clip 12x48x48x1", "clip of 12 frames 48x48, grey, 25 a second", "a clip"),
        ({"voice": VOICE}, "sound 16000", "sound of 16,000 samples, 8000 a second", "a sound"),
        (
            BOTH,
            "face (clip 12x48x48x1), voice (sound 16000)",
            "face: clip of 12 frames 48x48, grey, 25 a second; voice: sound of 16,000 samples, 8000 a second",
            "a row",
        ),
    ],
)
def test_inputs_are_told_in_words(specs: Specs, sentence: str, described: str, one: str) -> None:
    assert (inputs.sentence(specs), inputs.described(specs), inputs.one(specs)) == (sentence, described, one)


@pytest.mark.parametrize("rows", [slice(2, 7), np.array([9, 0, 0]), np.arange(10) % 2 == 0])
def test_the_same_rows_of_every_input_are_taken_and_read(rows: slice | np.ndarray) -> None:
    stored = {name: StoredRows(values) for name, values in ROWS.items()}
    assert all(isinstance(values, StoredRows) for values in inputs.take(stored, rows).values())
    for found in (
        inputs.take(ROWS, rows),
        inputs.take(stored, rows),
        inputs.read(ROWS, rows),
        inputs.read(stored, rows),
    ):
        assert list(found) == list(ROWS)
        for name, values in ROWS.items():
            np.testing.assert_array_equal(found[name][:], values[rows])


def test_chunks_are_all_rows_of_every_input_in_order() -> None:
    parts = list(inputs.chunks(ROWS, 4))
    assert [inputs.count(part) for part in parts] == [4, 4, 2]
    for name, values in ROWS.items():
        np.testing.assert_array_equal(np.concatenate([part[name] for part in parts]), values)


def test_chunks_hold_16_mib_of_the_largest_input() -> None:
    wide = np.broadcast_to(np.zeros((), np.float32), (12, 1024, 1024))
    found = [
        {name: len(values) for name, values in part.items()} for part in inputs.chunks({"a": np.arange(12), "b": wide})
    ]
    assert found == [{"a": 4, "b": 4}] * 3


def test_rows_of_several_inputs_are_put_together_in_order_and_stay_on_disk(tmp_path: Path) -> None:
    np.save(tmp_path / "face.npy", ROWS["face"])
    filed = {**ROWS, "face": StoredRows(np.load(tmp_path / "face.npy", mmap_mode="r"))}
    found = inputs.concatenate([inputs.take(filed, np.array([7, 2])), inputs.take(ROWS, slice(0, 3))])
    assert isinstance(found["face"], StoredRows)
    for name, values in ROWS.items():
        np.testing.assert_array_equal(found[name][:], values[[7, 2, 0, 1, 2]])
