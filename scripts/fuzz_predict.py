"""Damaged images, models and videos through `fer_exp.predict`: what can be read is predicted, the rest gets a sentence.

    python scripts/fuzz_predict.py                      1,000 images and models, 60 videos
    python scripts/fuzz_predict.py --files 100 --videos 0 --seed 7

Whole files are made here, then damaged: bits flipped, ends cut off, headers overwritten, numbers made huge, pieces
removed, moved and repeated, and of models the zip with the class names. Exits with 1, and keeps the file, if one raises
what is no answer for a user, or takes too long. One that crashed this process would end the script by a signal.
"""

import argparse
import io
import os
import random
import resource
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from fer_exp.errors import UserError
from fer_exp.lite.litert_guard import CRASH, Guard
from fer_exp.lite.model_file import LABELS
from fer_exp.predict import videos, work
from fer_exp.predict.sources import Source
from fer_exp.run.trained import Classifier

NAMES = ("angry", "happy", "sad")
SHAPE = (48, 48, 1)
LONGEST_SECONDS = 20.0  # of one file, on a busy machine
LARGEST_BYTES = 6 << 30  # of memory, of this process or of one that loads a model, which is held to that
_BECAME = ("predicted", "refused", "crashed alone", "defect")  # alone: a process that was there for it
_QUIET = work.Progress(lambda count: None, lambda: None)


@dataclass
class Tally:
    """What became of the files.

    Attributes:
        counts: (kind of file, what became of it) -> how many.
        defects: One entry for each file that got no answer.
        longest: Seconds that the slowest file took.
    """

    counts: Counter = field(default_factory=Counter)
    defects: list[str] = field(default_factory=list)
    longest: float = 0.0

    def add(self, kind: str, path: Path, predict: Callable[[], bool]) -> None:
        """Predicts one file and notes what became of it; one that got no answer is kept."""
        began = time.perf_counter()
        try:
            became = "predicted" if predict() else "refused"
        except UserError as error:
            became = "crashed alone" if CRASH in str(error) else "refused"
        except Exception:
            became = "defect"
            self.defects.append(f"{_kept(path)}: {traceback.format_exc()}")
        seconds = time.perf_counter() - began
        self.longest = max(self.longest, seconds)
        if seconds > LONGEST_SECONDS:
            self.defects.append(f"{_kept(path)}: it took {seconds:.0f} seconds")
        self.counts[kind, became] += 1


def damaged(content: bytes, chance: random.Random) -> bytes:
    """Returns a file with one to three kinds of damage.

    Args:
        content: The whole file.
        chance: Where and what.
    """
    data = bytearray(content)
    for _ in range(chance.choice([1, 1, 1, 2, 3])):
        chance.choice(_DAMAGES)(data, chance)
    return bytes(data)


def fuzz(models: list[bytes], files: int, video_files: int, seed: int, folder: Path) -> Tally:
    """Predicts damaged files.

    Args:
        models: Whole `.tflite` files that take 48x48 grey.
        files: Images and models, in equal parts.
        video_files: Videos.
        seed: Of the damage.
        folder: Where they are written, one at a time.
    """
    chance, tally = random.Random(seed), Tally()  # noqa: S311 - no secret
    face = Source(folder / "face.png", "face.png", "image", Path("face.png"))
    Image.fromarray(_pixels(*SHAPE[:2])).save(face.path)
    images, films = _images(), _videos(folder) if video_files else []
    with Guard(threads=1, seconds=LONGEST_SECONDS / 2) as guard:
        for number in range(files // 2):
            path = folder / f"model{number}.tflite"
            path.write_bytes(damaged(models[number % len(models)], chance))
            tally.add("model", path, lambda path=path: _by_model(guard, path, face))
            path.unlink(missing_ok=True)
        whole = folder / "whole.tflite"
        whole.write_bytes(models[0])
        with guard.open(whole) as model:
            classifier = Classifier("whole", model.inputs, model.class_names, model.predict, None, None, "whole")
            for number in range(files - files // 2 + video_files):
                kind = "image" if number < files - files // 2 else "video"
                suffix, content = chance.choice(images if kind == "image" else films)
                path = folder / f"{kind}{number}{suffix}"
                path.write_bytes(damaged(content, chance))
                source = Source(path, path.name, kind, Path(path.name))
                tally.add(kind, path, lambda source=source: _seen(source, classifier))
                path.unlink(missing_ok=True)
    return tally


def peak_bytes() -> int:
    """Returns the most memory that this process, or one that loaded a model, ever had."""
    return max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) * 1024


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=1000, help="images and models, in equal parts")
    parser.add_argument("--videos", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    made = _models()
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        tally = fuzz(made, options.files, options.videos, options.seed, Path(folder))
    peak = peak_bytes()
    kinds = sorted({kind for kind, _ in tally.counts})
    print(f"| damaged | {' | '.join(_BECAME)} |\n|{'---|' * (1 + len(_BECAME))}")
    for kind in kinds:
        print(f"| {kind} | {' | '.join(str(tally.counts[kind, became]) for became in _BECAME)} |")
    print(
        f"{sum(tally.counts.values()):,} files in {time.perf_counter() - began:.0f} s, "
        f"the slowest {tally.longest:.1f} s, at most {peak / 1e6:,.0f} MB"
    )
    print("\n".join(tally.defects), file=sys.stderr)
    sys.exit(1 if tally.defects or peak > LARGEST_BYTES else 0)


def _by_model(guard: Guard, path: Path, face: Source) -> bool:
    with guard.open(path) as model:
        return _seen(face, Classifier(path.name, model.inputs, model.class_names, model.predict, None, None, ""))


def _seen(source: Source, classifier: Classifier) -> bool:
    return bool(work.run([source], classifier, "haar", 1, 1, _QUIET).seen)


def _kept(path: Path) -> Path:
    kept = Path(tempfile.gettempdir()) / f"fuzz-{os.getpid()}-{path.name}"
    kept.write_bytes(path.read_bytes())
    return kept


def _flip(data: bytearray, chance: random.Random) -> None:
    for _ in range(chance.choice([1, 1, 2, 4, 40])):
        if data:
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _set_one(data: bytearray, chance: random.Random) -> None:
    """Sets one byte: what is closest to a sound file gets farthest."""
    if data:
        data[chance.randrange(len(data))] = chance.choice([0, 1, 2, 255, chance.randrange(256)])


def _cut(data: bytearray, chance: random.Random) -> None:
    del data[chance.randint(0, len(data)) :]


def _overwrite_head(data: bytearray, chance: random.Random) -> None:
    for _ in range(chance.randint(1, 8)):
        if data:
            data[chance.randrange(min(64, len(data)))] = chance.randrange(256)


def _make_huge(data: bytearray, chance: random.Random) -> None:
    """Writes a number near a limit of its type: sizes, offsets and counts are what readers trust."""
    if len(data) > 8:
        at, value = chance.randrange(len(data) - 8), chance.choice([0, 1, 2**15, 2**31 - 1, 2**32 - 1, 2**63])
        data[at : at + 4] = value.to_bytes(8, chance.choice(["little", "big"]))[:4]


def _move(data: bytearray, chance: random.Random) -> None:
    start = chance.randint(0, len(data))
    piece = data[start : start + chance.randint(1, 200)]
    if chance.random() < 0.5:
        del data[start : start + len(piece)]
    at = chance.randint(0, len(data))
    data[at:at] = piece


def _spoil_zip(data: bytearray, chance: random.Random) -> None:
    """Damages what follows the name of the labels in a zip, where there is one."""
    at = data.find(LABELS.encode())
    for _ in range(chance.randint(1, 6)):
        if at >= 0 and len(data) > at:
            data[chance.randrange(max(0, at - 30), len(data))] = chance.randrange(256)


_DAMAGES = (_set_one, _set_one, _set_one, _set_one, _flip, _cut, _overwrite_head, _make_huge, _move, _spoil_zip)


def _pixels(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width), np.uint8)


def _images() -> list[tuple[str, bytes]]:
    picture = Image.fromarray(np.repeat(_pixels(90, 70)[:, :, None], 3, axis=2))
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation
    made = []
    for suffix, form, more in (
        (".png", "PNG", {}),
        (".png", "PNG", {"exif": exif}),
        (".jpg", "JPEG", {"exif": exif}),
        (".jpg", "JPEG", {"progressive": True}),
        (".bmp", "BMP", {}),
        (".webp", "WEBP", {"exif": exif}),
        (".tiff", "TIFF", {"exif": exif, "compression": "tiff_lzw"}),
        (".gif", "GIF", {"transparency": 3}),
        (".ppm", "PPM", {}),
        (".avif", "AVIF", {}),
        (".jp2", "JPEG2000", {}),
    ):
        file = io.BytesIO()
        picture.save(file, format=form, **more)
        made.append((suffix, file.getvalue()))
    return made


def _videos(folder: Path) -> list[tuple[str, bytes]]:
    path = folder / "film.mp4"
    writer = videos.Writer(path, 10, (64, 48))
    for shift in range(12):
        writer.add(Image.fromarray(np.roll(np.repeat(_pixels(48, 64)[:, :, None], 3, axis=2), shift, axis=1)))
    writer.close()
    return [(".mp4", path.read_bytes())]


def _models() -> list[bytes]:
    """Returns a small model in every kind of file that is exported."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras

    from fer_exp.lite.conversion import convert

    inputs = keras.Input(SHAPE, name="image")
    x = keras.layers.Conv2D(4, 3, strides=2, activation="relu")(inputs)
    x = keras.layers.SeparableConv2D(8, 3, strides=2, activation="relu")(x)
    model = keras.Model(inputs, keras.layers.Dense(len(NAMES))(keras.layers.GlobalAveragePooling2D()(x)))
    pixels = np.random.default_rng(0).integers(0, 256, (8, *SHAPE), np.uint8)
    return [convert(model, kind, NAMES, {"image": pixels}) for kind in ("float32", "float16", "dynamic", "int8")]


if __name__ == "__main__":
    main()
