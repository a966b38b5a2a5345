"""Faces drawn by arithmetic: the data set that needs no download and no licence.

Built by `config` for `dataset=synthetic`, the default. It shows that a pipeline learns, and compares settings in
minutes; accuracies on it say nothing about photographs. This module decides how a face looks, `drawing` draws it.

Source: the expressions follow the action units of Ekman, Friesen and Hager, "Facial Action Coding System", 2002.
"""

import functools
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import psutil
from pydantic import Field

from fer_exp import process
from fer_exp.data import data_cache, drawing
from fer_exp.dataset import Split, Splits, assemble
from fer_exp.emotions import EMOTIONS
from fer_exp.errors import DataError
from fer_exp.signature import Fraction, NonNegativeInt, PositiveInt

_PIXELS_PER_CHUNK = 2**17  # 1 MiB per float32 array: bounds memory and stays in the processor's cache
_CLUTTER_CELLS = 7

# What the muscles do at full strength, 0 at rest; two typical looks of each expression, and every face is a mixture.
_EXPRESSIONS: dict[str, tuple[dict[str, float], dict[str, float]]] = {
    "angry": (
        dict(brow_raise=-0.9, brow_inner=-1.0, brow_knit=1.0, eye_open=-0.1, lower_lid=0.5, mouth_width=-0.2,
             mouth_corner=-0.3, lip_press=1.0, nose_wrinkle=0.2),
        dict(brow_raise=-0.9, brow_inner=-1.0, brow_knit=1.0, eye_open=0.1, lower_lid=0.5, mouth_width=0.3,
             mouth_corner=-0.35, mouth_open=0.45, teeth=1.0, upper_lip=0.3, nose_wrinkle=0.4),
    ),
    "disgust": (
        dict(brow_raise=-0.5, brow_inner=-0.5, brow_knit=0.5, eye_open=-0.5, lower_lid=0.7, mouth_corner=-0.6,
             upper_lip=0.8, nose_wrinkle=1.0, cheek=0.4, asymmetry=0.8, teeth=0.3),
        dict(brow_raise=-0.6, brow_inner=-0.6, brow_knit=0.6, eye_open=-0.6, lower_lid=0.8, mouth_corner=-0.5,
             mouth_open=0.35, teeth=0.8, upper_lip=1.0, nose_wrinkle=1.0, cheek=0.5, asymmetry=0.5),
    ),
    "fear": (
        dict(brow_raise=0.7, brow_inner=0.9, brow_knit=0.8, eye_open=0.9, mouth_width=0.6, mouth_corner=-0.45,
             mouth_open=0.3, teeth=0.8),
        dict(brow_raise=0.8, brow_inner=0.7, brow_knit=0.7, eye_open=1.0, mouth_width=0.3, mouth_corner=-0.3,
             mouth_open=0.6, teeth=0.4),
    ),
    "happy": (
        dict(eye_open=-0.2, lower_lid=0.5, mouth_width=0.6, mouth_corner=0.9, cheek=0.8),
        dict(brow_raise=0.1, eye_open=-0.3, lower_lid=0.6, mouth_width=0.8, mouth_corner=1.0, mouth_open=0.5,
             teeth=1.0, cheek=1.0),
    ),
    "sad": (
        dict(brow_raise=0.1, brow_inner=1.1, brow_knit=0.5, eye_open=-0.4, mouth_width=-0.1, mouth_corner=-1.0,
             lip_press=0.2),
        dict(brow_inner=0.9, brow_knit=0.3, eye_open=-0.7, mouth_corner=-0.7, mouth_open=0.1),
    ),
    "surprise": (
        dict(brow_raise=1.1, eye_open=1.0, mouth_width=-0.45, mouth_open=1.0),
        dict(brow_raise=0.9, eye_open=0.8, mouth_width=-0.25, mouth_open=0.6, teeth=0.2),
    ),
    "neutral": ({}, {}),
}  # fmt: skip
_MUSCLES = sorted({muscle for looks in _EXPRESSIONS.values() for look in looks for muscle in look})

# Lowest and highest value of what makes a person, in half images where it is a length; drawn uniformly.
_IDENTITY: dict[str, tuple[float, float]] = dict(
    face_width=(0.58, 0.72), face_height=(0.8, 0.92), jaw=(0.0, 0.32), skin=(0.42, 0.88), age=(0.0, 0.16),
    socket=(0.2, 0.9), eye_x=(0.25, 0.31), eye_y=(-0.2, -0.1), eye_size=(0.125, 0.16), eye_height=(0.062, 0.085),
    iris=(0.06, 0.28), brow_gap=(0.17, 0.215), brow_arch=(0.01, 0.05), brow_size=(0.02, 0.042),
    brow_dark=(0.35, 0.9), nose_width=(0.075, 0.12), mouth_y=(0.4, 0.49), mouth_size=(0.2, 0.26),
    lips=(0.03, 0.065), lip_dark=(0.25, 0.75), hair_dark=(0.3, 0.92), hairline=(-0.72, -0.48),
    parting=(-0.3, 0.3), clothes=(0.1, 0.9), background=(0.15, 0.85),
)  # fmt: skip

# Share of the persons that have it.
_ATTRIBUTES: dict[str, float] = dict(hair=0.92, beard=0.2, glasses=0.14, long_hair=0.4)

# Value in an easy image, and the largest departure from it at difficulty 1; drawn uniformly around the value.
_SCENE: dict[str, tuple[float, float]] = dict(
    shift_x=(0.0, 0.16), shift_y=(0.0, 0.16), roll=(0.0, 0.4), scale=(0.97, 0.17), yaw=(0.0, 0.5), gaze_x=(0.0, 0.07),
    gaze_y=(0.0, 0.03), light_x=(0.0, 0.5), light_y=(-0.05, 0.25), contrast=(0.9, 0.4), brightness=(0.5, 0.15),
    clutter=(0.1, 0.2), blur=(0.4, 0.6), noise=(0.03, 0.05),
)  # fmt: skip


def glance(*, train_size: int, val_size: int, test_size: int, image_size: int, **others: Any) -> None:
    """Refuses more images than the memory can hold; see the contract."""
    needed = (train_size + val_size + test_size) * image_size**2
    held = psutil.virtual_memory().total + psutil.swap_memory().total
    if needed > held:
        raise DataError(
            f"`dataset.train_size`, `val_size` and `test_size` must be images that the memory can hold. Received: "
            f"{train_size:,} + {val_size:,} + {test_size:,}, which take {needed / 2**30:,.0f} GiB; there are "
            f"{held / 2**30:,.0f} GiB."
        )


def fewer(images: int, options: Mapping[str, Any]) -> dict[str, int]:
    """Returns the sizes at which no split has more images than wanted; see the contract."""
    return {key: min(options[key], images) for key in ("train_size", "val_size", "test_size")}


def build(
    *,
    train_size: PositiveInt,
    val_size: PositiveInt,
    test_size: PositiveInt,
    image_size: Annotated[int, Field(ge=24, le=256)],
    seed: NonNegativeInt,
    difficulty: Fraction,
    cache_dir: str,
) -> Splits:
    """Draws the three splits; each is its own draw, so its images do not depend on the size of the others.

    What was drawn once is kept on disk.

    Args:
        train_size: Number of training images; the classes are equally frequent, up to one image.
        val_size: Number of validation images.
        test_size: Number of test images.
        image_size: Height and width of an image in pixels, 24-256.
        seed: Seed of the drawing. Keep it while the experiment's own seed varies, so that runs share their data.
        difficulty: From 0 (strong expressions, frontal, even light) to 1 (weak ones, turned, noisy).
        cache_dir: Folder of the drawn images; `~` expands.

    Returns:
        The seven expressions as uint8 (n, image_size, image_size, 1).
    """
    sizes = {"train": train_size, "val": val_size, "test": test_size}
    splits: dict[str, Split] = {}
    notes = {"drawn": "by a program, not photographed"}  # which whoever uses the model is told
    for number, (name, size) in enumerate(sizes.items()):
        drawn = functools.partial(_draw_split, size, image_size, difficulty, (seed, number))
        key = data_cache.make_key("synthetic", [repr(drawn.args), _how_it_is_drawn()])
        arrays, problem = data_cache.load_or_build(cache_dir, key, drawn)
        splits[name] = Split(arrays["images"], arrays["labels"])
        notes |= {"cache": problem} if problem else {}
    source = f"synthetic faces drawn by fer_exp.dataset.synthetic (seed={seed}, difficulty={difficulty:g})"
    return assemble(splits, EMOTIONS, source, notes)


@functools.cache
def _how_it_is_drawn() -> str:
    """Returns what changes whenever the drawing may: the digests of the two files that decide about every pixel."""
    return " ".join(data_cache.sha256_of_file(Path(str(file))) for file in (__file__, drawing.__file__))


def _draw_split(size: int, image_size: int, difficulty: float, seed: tuple[int, int]) -> dict[str, np.ndarray]:
    """Draws the chunks side by side: NumPy works outside the interpreter lock, and each chunk has its own seed."""
    labels = _generator(*seed).permutation(np.arange(size, dtype=np.int64) % len(EMOTIONS))
    images = np.empty((size, image_size, image_size, 1), dtype=np.uint8)
    step = max(1, _PIXELS_PER_CHUNK // image_size**2)

    def draw_from(start: int) -> None:
        chunk = slice(start, min(start + step, size))
        images[chunk, :, :, 0] = _draw_chunk(labels[chunk], image_size, difficulty, _generator(*seed, start + 1))

    with ThreadPoolExecutor(process.cores()) as pool:
        list(pool.map(draw_from, range(0, size, step)))  # the list raises what a chunk raised
    return {"images": images, "labels": labels}


def _generator(*seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def _draw_chunk(labels: np.ndarray, image_size: int, difficulty: float, rng: np.random.Generator) -> np.ndarray:
    count = len(labels)
    parameters = {**_sample_look(count, difficulty, rng), **_sample_expression(labels, difficulty, rng)}
    parameters = {name: value.astype(np.float32)[:, None, None] for name, value in parameters.items()}
    clutter = rng.uniform(-1, 1, (count, _CLUTTER_CELLS, _CLUTTER_CELLS)).astype(np.float32)
    grey = drawing.draw(parameters, clutter, image_size)
    grey += parameters["noise"] * rng.standard_normal(grey.shape, dtype=np.float32)
    return np.rint(np.clip(grey, 0, 1) * 255).astype(np.uint8)


def _sample_look(count: int, difficulty: float, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Samples person and scene: parameter name -> (count,)."""
    look: dict[str, np.ndarray] = {name: rng.uniform(low, high, count) for name, (low, high) in _IDENTITY.items()}
    has = {name: rng.random(count) < share for name, share in _ATTRIBUTES.items()}
    look |= {"hair": 1.0 * has["hair"], "glasses": 0.85 * has["glasses"]}
    look["beard"] = rng.uniform(0.3, 0.8, count) * (has["beard"] & ~has["long_hair"])
    look["hair_length"] = np.where(has["long_hair"], rng.uniform(0.4, 1.0, count), -0.1)
    for name, (value, departure) in _SCENE.items():
        look[name] = value + difficulty * departure * rng.uniform(-1, 1, count)
    return look


def _sample_expression(labels: np.ndarray, difficulty: float, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Samples the muscles' activity: name -> (n,); weaker and less pure the higher the difficulty."""
    looks = np.array([[[look.get(name, 0.0) for name in _MUSCLES] for look in _EXPRESSIONS[emotion]]
                      for emotion in EMOTIONS])  # (class, 2, muscle)  # fmt: skip
    shape = (len(labels), len(_MUSCLES))
    mixture = rng.random((len(labels), 1))
    activity = looks[labels, 0] * mixture + looks[labels, 1] * (1 - mixture)
    activity *= 1.1 - difficulty * rng.uniform(0.0, 1.5, (len(labels), 1))
    activity *= 1 - difficulty * rng.uniform(0.0, 0.8, shape)
    activity += difficulty * rng.normal(0.0, 0.3, shape)
    muscles = dict(zip(_MUSCLES, activity.T, strict=True))
    muscles["asymmetry"] = muscles["asymmetry"] * rng.choice([-1.0, 1.0], len(labels))
    return muscles
