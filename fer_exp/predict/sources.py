"""What is to be predicted: files and folders become items, one for each picture, row and frame.

Called by `work`. Nothing is decoded before it is asked for, and one bad file stops none of the others. It must not know
faces or models.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Literal, TypeVar

from PIL import Image

from fer_exp.data import archive, image_files, image_formats, pixel_csv
from fer_exp.errors import ConfigError, DataError
from fer_exp.predict import videos

TABLES = (".csv", ".gz", ".zip", ".tgz")
VIDEOS = image_formats.VIDEOS
Kind = Literal["image", "table", "video"]
Loaded = TypeVar("Loaded")


@dataclass(frozen=True)
class Source:
    """A file.

    Attributes:
        path: Where it is.
        name: What it is called in every output: as it was given, in a folder with what leads there.
        kind: What is taken from it.
        inside: Its path below the folder that was given; its own name if it was given itself.
    """

    path: Path
    name: str
    kind: Kind
    inside: Path


@dataclass(frozen=True)
class Item(Generic[Loaded]):
    """One picture, row, frame or clip.

    Attributes:
        source: Where it is from.
        load: Decodes it: a picture is grey or RGB, upright. Raises `image_files.UndecodableError`.
        index: Position of a row in its table or of a frame in its video, from 0; None for an image.
        seconds: Of a frame, from the beginning of the video, as the video says.
    """

    source: Source
    load: Callable[[], Loaded]
    index: int | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Failure:
    """Something that could not be predicted, and why."""

    name: str
    reason: str


def find(inputs: Sequence[str]) -> tuple[list[Source], list[str]]:
    """Finds the files.

    Args:
        inputs: Paths of images, tables, videos, and folders, which are searched whole.

    Returns:
        The files, each once, in the order given, those of a folder by name; and a note for each folder that holds
        others too.

    Raises:
        ConfigError: With a line for each input that does not exist, and each folder without anything to predict.
    """
    problems, notes = [], []
    found: dict[Path, Source] = {}
    for word in inputs:
        path = Path(word)
        try:
            below = _below(path) if path.is_dir() else [path] if path.is_file() else []
        except OSError as error:
            problems.append(f"`inputs` must be readable: {error.strerror or error}. Received: {word}.")
            continue
        if path.is_dir():
            known = [file for file in below if _wanted(file)]
            others = image_formats.by_kind((str(file) for file in below if not _wanted(file)), _why)
            if not known:
                held = f"it holds {others}" if others else "it is empty"
                problems.append(
                    f"`inputs` must hold something to predict, pictures ({', '.join(image_formats.endings()[:3])} ...) "
                    f"or videos ({', '.join(VIDEOS)}). Received: {word}, but {held}."
                )
            elif others:
                notes.append(f"{word}: left out are {others}")
            below = known
        elif not below:
            rule = "be files or folders, not devices or pipes" if path.exists() else "exist"
            problems.append(f"`inputs` must {rule}. Received: {word}.")
        for file in below:
            inside = file.relative_to(path) if path.is_dir() else Path(file.name)
            found.setdefault(file.resolve(), Source(file, str(file), _kind(file), inside))
    if problems:
        raise ConfigError(problems)
    return list(found.values()), notes


def items(source: Source, every: int, say_count: Callable[[int], None]) -> Iterator[Item[Image.Image] | Failure]:
    """Yields what a file holds.

    Args:
        source: The file.
        every: Takes each n-th frame of a video.
        say_count: Told how many items there will be, about, as soon as that is known.
    """
    try:
        if source.kind == "image":
            say_count(1)
            yield Item(source, lambda: image_files.upright(source.path, 3))
        elif source.kind == "table":
            yield from _rows(source, say_count)
        else:
            for frame in videos.frames(source.path, every, say_count):
                yield Item(source, _handing_out(Image.fromarray(frame.pixels)), frame.index, frame.seconds)
    except DataError as error:
        yield failure(source, error)


def failure(source: Source, error: DataError) -> Failure:
    """Returns what stands for a file in the place of its items; the message does not name the file again."""
    reason, own = str(error), f"{source.path} "
    return Failure(source.name, f"it {reason.removeprefix(own)}" if reason.startswith(own) else reason)


def _rows(source: Source, say_count: Callable[[int], None]) -> Iterator[Item[Image.Image] | Failure]:
    with archive.open_stream(source.path) as stream:
        table = pixel_csv.parse(stream, source.path, "skip", labelled=False)
    say_count(len(table.rows))
    for position, face in zip(table.rows.tolist(), table.images, strict=True):
        yield Item(source, _handing_out(Image.fromarray(face[:, :, 0])), position)
    for line in table.skipped_lines.tolist():
        yield Failure(f"{source.name}, line {line}", "it does not hold 2304 pixels, whole numbers from 0 to 255")


def _handing_out(image: Image.Image) -> Callable[[], Image.Image]:
    return lambda: image


def _wanted(path: Path) -> bool:
    """Tells whether a file of a folder is predicted."""
    return image_formats.is_picture(path.name) or path.suffix.lower() in VIDEOS


def _why(name: str) -> str:
    """Returns why a file of a folder is not."""
    return "read only if named themselves" if name.lower().endswith(TABLES) else image_formats.reason(name)


def _kind(path: Path) -> Kind:
    suffix = path.suffix.lower()
    return "table" if suffix in TABLES else "video" if suffix in VIDEOS else "image"


def _below(folder: Path) -> list[Path]:
    """Returns the files in and below a folder by name, without hidden ones; links to folders are not followed."""
    found: list[Path] = []
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith((".", "__MACOSX")):
            continue
        if entry.is_dir():
            found += [] if entry.is_symlink() else _below(entry)
        elif entry.is_file():
            found.append(entry)
    return found
