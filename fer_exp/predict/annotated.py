"""Pictures and videos with what was predicted drawn into them.

Called by `__main__` after everything is predicted: each file is decoded once more, one at a time, so that memory does
not grow with their number.
"""

import os
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from fer_exp.data import archive, image_files, pixel_csv
from fer_exp.errors import ConfigError, StorageError
from fer_exp.predict import videos
from fer_exp.predict.sources import Source
from fer_exp.predict.work import Outcome, Seen

_SMALLEST = 240  # pixels of the longer side: words must fit
_COLOUR, _INK = (255, 196, 0), (0, 0, 0)


def check(folder: Path, sources: Sequence[Source]) -> None:
    """Refuses a folder in which a picture could take the place of an input.

    Raises:
        ConfigError: If an input lies in it, or it is a file.
    """
    at = folder.resolve()
    if folder.exists() and not folder.is_dir():
        raise ConfigError([f"`--annotated` must be a folder. Received: {folder}."])
    inside = next((source.path for source in sources if source.path.resolve().is_relative_to(at)), None)
    if inside is not None:
        raise ConfigError([f"`--annotated` must be a folder without inputs. Received: {folder}, which holds {inside}."])


def write(folder: Path, outcome: Outcome, class_names: Sequence[str], done: Callable[[], None]) -> int:
    """Writes a PNG for each picture and row, an MP4 for each video.

    Args:
        folder: Where to; made if it is not there.
        outcome: What was seen.
        class_names: Of the model.
        done: Called after each file.

    Returns:
        Number of files.

    Raises:
        StorageError: If one cannot be written.
    """
    by_source: dict[Source, list[Seen]] = defaultdict(list)
    for seen in outcome.seen:
        by_source[seen.source].append(seen)
    taken: set[Path] = set()

    def target(inside: Path, more: str, suffix: str) -> Path:
        number = 1
        while (path := inside.with_name(f"{inside.stem}{more}{f'-{number}' if number > 1 else ''}{suffix}")) in taken:
            number += 1
        taken.add(path)
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        return folder / path

    try:
        for source, all_seen in by_source.items():
            if source.kind == "video":
                _video(source, all_seen, class_names, target(source.inside, "", ".mp4"))
                done()
            elif source.kind == "table":
                for seen, image in zip(all_seen, _rows(source), strict=True):
                    _picture(image, seen, class_names, target(source.inside, f"-row{seen.index}", ".png"))
                    done()
            else:
                image = image_files.upright(source.path, 3)
                _picture(image, all_seen[0], class_names, target(source.inside, "", ".png"))
                done()
    except OSError as error:
        raise StorageError(f"{folder} cannot be written: {error.strerror or error}.") from error
    return len(taken)


def _rows(source: Source) -> list[Image.Image]:
    with archive.open_stream(source.path) as stream:
        faces = pixel_csv.parse(stream, source.path, "skip", labelled=False).images
    return [Image.fromarray(face[:, :, 0]) for face in faces]


def _picture(image: Image.Image, seen: Seen, class_names: Sequence[str], path: Path) -> None:
    temporary = path.with_name(f".{path.name}.tmp")
    draw(image, seen, class_names).save(temporary, format="PNG")
    os.replace(temporary, path)


def _video(source: Source, all_seen: Sequence[Seen], class_names: Sequence[str], path: Path) -> None:
    """Writes every frame; one that was left out shows what was last seen."""
    by_frame = {seen.index: seen for seen in all_seen}
    temporary, last = path.with_name(f".{path.name}.tmp.mp4"), all_seen[0]
    writer = None
    try:
        for frame in videos.frames(source.path, 1, tolerant=True):
            last = by_frame.get(frame.index, last)
            image = draw(Image.fromarray(frame.pixels), last, class_names)
            writer = writer or videos.Writer(temporary, videos.rate(source.path), image.size)
            writer.add(image)
    finally:
        if writer is not None:
            writer.close()
    os.replace(temporary, path)


def draw(image: Image.Image, seen: Seen, class_names: Sequence[str]) -> Image.Image:
    """Returns a picture, enlarged if it is small, with box, class and probability of each face.

    Args:
        image: Grey or RGB.
        seen: What was seen in it.
        class_names: Of the model.
    """
    scale = max(1, -(-_SMALLEST // max(image.size)))
    drawn = image.convert("RGB").resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST)
    pen = ImageDraw.Draw(drawn)
    size = max(14, min(drawn.size) // 28)
    font = ImageFont.load_default(size)
    for box, row in zip(seen.boxes, seen.probabilities, strict=True):
        words = f"{class_names[int(row.argmax())]} {row.max():.0%}"
        x, y = (box.x * scale, box.y * scale) if box else (0, 0)
        if box:
            corner = (x + box.width * scale - 1, y + box.height * scale - 1)
            pen.rectangle((x, y, *corner), outline=_COLOUR, width=max(2, size // 8))
        high = size + 6
        top = y - high if y >= high else y
        pen.rectangle((x, top, x + pen.textlength(words, font) + 6, top + high), fill=_COLOUR)
        pen.text((x + 3, top + 1), words, fill=_INK, font=font)
    return drawn
