"""Faces drawn by arithmetic, as images or as clips in which they move: the data set that needs no download.

Built by `config` for `dataset=synthetic`, the default. It shows that a pipeline learns, and compares settings in
minutes; accuracies on it say nothing about photographs. `looks` decides how a face looks, `drawing` draws it.
"""

import functools
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import psutil
from pydantic import Field

from fer_exp import process
from fer_exp.data import data_cache, drawing, looks
from fer_exp.data import motion as motions
from fer_exp.data.emotions import EMOTIONS
from fer_exp.data.inputs import Kind
from fer_exp.dataset import Split, Splits, assemble
from fer_exp.errors import DataError
from fer_exp.signature import Fraction, NonNegativeInt, PositiveInt

_PIXELS_PER_CHUNK = 2**17  # 1 MiB per float32 array: bounds memory and stays in the processor's cache
_CLUTTER_CELLS = 7
_CACHED = {"image": "synthetic", "clip": "synthetic-clips"}
_CLIPS_OF_A_PERSON = 7
_FRAMES_A_SECOND = 10.0
_HALVES = (
    "neutral",
    *(f"{emotion} {way}" for emotion in EMOTIONS if emotion != "neutral" for way in ("comes", "goes")),
)
_MOVING = ("shift_x", "shift_y", "roll", "scale", "yaw", "gaze_x", "gaze_y", "light_x", "brightness")
_DRIFT = 0.3  # of the largest departure, to either side of the value, over a clip


def gives(*, kind: str, **others: Any) -> Mapping[str, Kind]:
    """Returns the name and kind of what a row is; see the contract."""
    return {"clip": "clip"} if kind == "clip" else {"image": "image"}


def glance(
    *, train_size: int, val_size: int, test_size: int, image_size: int, kind: str, frames: int, **others: Any
) -> None:
    """Refuses more images than the memory can hold; see the contract."""
    needed = (train_size + val_size + test_size) * image_size**2 * (frames if kind == "clip" else 1)
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
    kind: Literal["image", "clip"],
    frames: Annotated[int, Field(ge=2, le=128)],
    motion: Literal["whole", "half"],
    cache_dir: str,
) -> Splits:
    """Draws the three splits; each is its own draw, so its images do not depend on the size of the others.

    What was drawn once is kept on disk.

    Args:
        train_size: Number of training images, or clips; the classes are equally frequent, up to one.
        val_size: Number of those of validation.
        test_size: Number of those of the test.
        image_size: Height and width of an image in pixels, 24-256.
        seed: Seed of the drawing. Keep it while the experiment's own seed varies, so that runs share their data.
        difficulty: From 0 (strong expressions, frontal, even light) to 1 (weak ones, turned, noisy).
        kind: Either `image`, or `clip`: a face that moves. Of every person there are several clips, all in one split.
        frames: Of a clip, 2-128, ten a second.
        motion: Of a clip, either `whole` (from neutral to the expression and back), or `half`: the expression comes or
            goes, which are two classes that only the order of the frames tells apart.
        cache_dir: Folder of the drawn images; `~` expands.

    Returns:
        The seven expressions as uint8 (n, image_size, image_size, 1), or clips (n, frames, image_size, image_size, 1);
        of half motions neutral, and each of the others twice, as `happy comes` and `happy goes`.
    """
    sizes = {"train": train_size, "val": val_size, "test": test_size}
    splits: dict[str, Split] = {}
    notes = {"drawn": "by a program, not photographed"}  # which whoever uses the model is told
    for number, (name, size) in enumerate(sizes.items()):
        drawn = functools.partial(_draw_split, size, image_size, difficulty, (seed, number))
        if kind == "clip":
            drawn = functools.partial(_draw_clips, size, image_size, difficulty, (seed, number), frames, motion)
        key = data_cache.make_key(_CACHED[kind], [repr(drawn.args), _how_it_is_drawn()])
        arrays, problem = data_cache.load_or_build(cache_dir, key, drawn)
        splits[name] = _split(arrays, name)
        notes |= {"cache": problem} if problem else {}
    what = f"clips of {frames} frames, {motion} motions, of " if kind == "clip" else ""
    source = f"{what}synthetic faces drawn by fer_exp.dataset.synthetic (seed={seed}, difficulty={difficulty:g})"
    return assemble(splits, _classes(motion) if kind == "clip" else EMOTIONS, source, notes)


def _split(arrays: Mapping[str, np.ndarray], name: str) -> Split:
    if "clips" not in arrays:
        return Split.of_images(arrays["images"], arrays["labels"])
    groups = np.array([f"{name} person {person}" for person in arrays["persons"].tolist()])
    inputs = {"clip": arrays["clips"]}
    return Split(inputs, arrays["labels"], groups=groups, kinds=gives(kind="clip"), rates={"clip": _FRAMES_A_SECOND})


@functools.cache
def _how_it_is_drawn() -> str:
    """Returns what changes whenever the drawing may: the digests of the files that decide about every pixel."""
    files = (__file__, drawing.__file__, looks.__file__, motions.__file__)
    return " ".join(data_cache.sha256_of_file(Path(str(file))) for file in files)


def _draw_split(size: int, image_size: int, difficulty: float, seed: tuple[int, int]) -> dict[str, np.ndarray]:
    """Draws the chunks side by side: NumPy works outside the interpreter lock, and each chunk has its own seed."""
    labels = _generator(*seed).permutation(np.arange(size, dtype=np.int64) % len(EMOTIONS))
    images = np.empty((size, image_size, image_size, 1), dtype=np.uint8)
    step = max(1, _PIXELS_PER_CHUNK // image_size**2)

    def draw_from(start: int) -> None:
        chunk = slice(start, min(start + step, size))
        images[chunk, :, :, 0] = _draw_chunk(labels[chunk], image_size, difficulty, _generator(*seed, start + 1))

    _side_by_side(draw_from, size, step)
    return {"images": images, "labels": labels}


def _side_by_side(draw_from: Callable[[int], None], size: int, step: int) -> None:
    with ThreadPoolExecutor(process.cores()) as pool:
        list(pool.map(draw_from, range(0, size, step)))  # the list raises what a chunk raised


def _classes(motion: str) -> tuple[str, ...]:
    return _HALVES if motion == "half" else EMOTIONS


def _draw_clips(
    size: int, image_size: int, difficulty: float, seed: tuple[int, int], frames: int, motion: str
) -> dict[str, np.ndarray]:
    """Draws clips, some side by side; a person has the same face and another scene in each."""
    classes = _classes(motion)
    labels = _generator(*seed).permutation(np.arange(size, dtype=np.int64) % len(classes))
    people = _generator(*seed, 0)
    persons = people.permutation(np.arange(size, dtype=np.int64) // _CLIPS_OF_A_PERSON)
    faces = looks.identity(int(persons.max()) + 1, people)
    clips = np.empty((size, frames, image_size, image_size, 1), np.uint8)
    step = max(1, _PIXELS_PER_CHUNK // (frames * image_size**2))

    def draw_from(start: int) -> None:
        chunk, rng = slice(start, min(start + step, size)), _generator(*seed, start + 1)
        strength, shown = _strength(labels[chunk], classes, frames, rng)
        look = {name: values[persons[chunk]] for name, values in faces.items()}
        look |= looks.scene(len(shown), difficulty, rng)
        moving = {name: _drifting(values, name, frames, difficulty, rng) for name, values in look.items()}
        moving |= {m: (v[:, None] * strength).ravel() for m, v in looks.expression(shown, difficulty, rng).items()}
        clutter = rng.uniform(-1, 1, (len(shown), _CLUTTER_CELLS, _CLUTTER_CELLS)).astype(np.float32)
        drawn = _draw(moving, np.repeat(clutter, frames, axis=0), image_size, rng)
        clips[chunk] = drawn.reshape(-1, frames, image_size, image_size, 1)

    _side_by_side(draw_from, size, step)
    return {"clips": clips, "labels": labels, "persons": persons}


def _strength(
    labels: np.ndarray, classes: tuple[str, ...], frames: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the strength of the expression of each clip in each frame, (n, frames), and which it is of `EMOTIONS`."""
    words = [classes[label].split() for label in labels.tolist()]
    shown = np.array([EMOTIONS.index(emotion) for emotion, *_ in words])
    if classes == EMOTIONS:
        return motions.course(len(labels), frames, rng), shown
    return motions.half(np.array([rest != ["goes"] for _, *rest in words]), frames, rng), shown


def _drifting(values: np.ndarray, name: str, frames: int, difficulty: float, rng: np.random.Generator) -> np.ndarray:
    """Returns a value for each frame, (n * frames,): a head and its light move a little while the face does."""
    every = np.repeat(values[:, None], frames, axis=1)
    if name in _MOVING:
        ways = rng.uniform(-1, 1, (len(values), 1)) * _DRIFT * difficulty * looks.SCENE[name][1]
        every = every + ways * np.linspace(-1, 1, frames)
    return every.ravel()


def _generator(*seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def _draw_chunk(labels: np.ndarray, image_size: int, difficulty: float, rng: np.random.Generator) -> np.ndarray:
    count = len(labels)
    look = looks.identity(count, rng) | looks.scene(count, difficulty, rng)
    parameters = {**look, **looks.expression(labels, difficulty, rng)}
    clutter = rng.uniform(-1, 1, (count, _CLUTTER_CELLS, _CLUTTER_CELLS)).astype(np.float32)
    return _draw(parameters, clutter, image_size, rng)


def _draw(
    values: Mapping[str, np.ndarray], clutter: np.ndarray, image_size: int, rng: np.random.Generator
) -> np.ndarray:
    """Draws faces, each value (n,), as uint8 (n, image_size, image_size)."""
    parameters = {name: value.astype(np.float32)[:, None, None] for name, value in values.items()}
    grey = drawing.draw(parameters, clutter, image_size)
    grey += parameters["noise"] * rng.standard_normal(grey.shape, dtype=np.float32)
    return np.rint(np.clip(grey, 0, 1) * 255).astype(np.uint8)
