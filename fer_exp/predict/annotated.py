"""Pictures and videos with what was predicted drawn into them.

Called by `predicting` after everything is predicted: each file is decoded once more, one at a time, so that memory does
not grow with their number.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from fer_exp.data import archive, image_files, pixel_csv
from fer_exp.errors import ConfigError, StorageError
from fer_exp.predict import videos
from fer_exp.predict.sources import Source
from fer_exp.predict.work import Outcome, Seen
from fer_exp.process import folders

WRITTEN = ".fer_exp"  # lists the files that were written into a folder, which may be replaced
_MOST_BYTES = 2**24  # of that list
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
        ConfigError: If one would replace a file that was not written here; nothing is written then.
        StorageError: If one cannot be written.
    """
    by_source = _by_source(outcome)
    targets = _targets(by_source)
    names = [path for paths in targets.values() for path in paths]
    try:
        _reserve(folder, names)
        for source, all_seen in by_source.items():
            paths = [folder / path for path in targets[source]]
            if source.kind == "video":
                _video(source, all_seen, class_names, paths[0])
                done()
            elif source.kind == "table":
                for seen, image, path in zip(all_seen, _rows(source), paths, strict=True):
                    _picture(image, seen, class_names, path)
                    done()
            else:
                _picture(_again(source), all_seen[0], class_names, paths[0])
                done()
    except OSError as error:
        raise StorageError(f"{folder} cannot be written: {error.strerror or error}.") from error
    return len(names)


def check_targets(folder: Path, outcome: Outcome) -> None:
    """Refuses what `write` would refuse, so that nothing else is written before.

    Raises:
        ConfigError: If a file would replace one that was not written here.
    """
    _check_foreign(folder, [path for paths in _targets(_by_source(outcome)).values() for path in paths])


def _by_source(outcome: Outcome) -> dict[Source, list[Seen]]:
    found: dict[Source, list[Seen]] = defaultdict(list)
    for seen in outcome.seen:
        found[seen.source].append(seen)
    return found


def _targets(by_source: Mapping[Source, Sequence[Seen]]) -> dict[Source, list[Path]]:
    """Returns where the pictures of each source go below the folder: every path once."""
    taken: set[Path] = set()

    def target(inside: Path, more: str, suffix: str) -> Path:
        number = 1
        while (path := inside.with_name(f"{inside.stem}{more}{f'-{number}' if number > 1 else ''}{suffix}")) in taken:
            number += 1
        taken.add(path)
        return path

    return {
        source: [target(source.inside, f"-row{seen.index}", ".png") for seen in all_seen]
        if source.kind == "table"
        else [target(source.inside, "", ".mp4" if source.kind == "video" else ".png")]
        for source, all_seen in by_source.items()
    }


def _check_foreign(folder: Path, names: Sequence[Path]) -> set[str]:
    """Returns the files in a folder that were written here; refuses to replace others."""
    file = folder / WRITTEN
    ours: set[str] = set()
    if file.is_file() and file.stat().st_size <= _MOST_BYTES:
        ours = set(file.read_text(encoding="utf-8", errors="surrogateescape").splitlines())
    foreign = [path for path in names if str(path) not in ours and (folder / path).exists()]
    if foreign:
        raise ConfigError(
            [
                f"`--annotated` must not replace files that it has not written. Received: {folder}, which holds "
                f"{foreign[0]}{f' and {len(foreign) - 1:,} more' if len(foreign) > 1 else ''}. Name another folder."
            ]
        )
    return ours


def _reserve(folder: Path, names: Sequence[Path]) -> None:
    """Notes in a list which files are ours, before the first of them is written."""
    ours = _check_foreign(folder, names)
    folder.mkdir(parents=True, exist_ok=True)
    listed = "".join(f"{name}\n" for name in sorted(ours | {str(path) for path in names}))
    (folder / WRITTEN).write_text(listed, encoding="utf-8", errors="surrogateescape")


def _again(source: Source) -> Image.Image:
    try:
        return image_files.upright(source.path, 3)
    except image_files.UndecodableError as error:
        raise StorageError(
            f"{source.path} was changed after it was predicted, and cannot be drawn: {error}."
        ) from error


def _rows(source: Source) -> list[Image.Image]:
    with archive.open_stream(source.path) as stream:
        faces = pixel_csv.parse(stream, source.path, "skip", labelled=False).images
    return [Image.fromarray(face[:, :, 0]) for face in faces]


def _picture(image: Image.Image, seen: Seen, class_names: Sequence[str], path: Path) -> None:
    with folders.put(path) as part:
        draw(image, seen, class_names).save(part, format="PNG")


def _video(source: Source, all_seen: Sequence[Seen], class_names: Sequence[str], path: Path) -> None:
    """Writes every frame; one that was left out shows what was last seen."""
    by_frame = {seen.index: seen for seen in all_seen}
    last, writer = all_seen[0], None
    with folders.put(path) as part:
        try:
            for frame in videos.frames(source.path, 1, tolerant=True):
                last = by_frame.get(frame.index, last)
                image = draw(Image.fromarray(frame.pixels), last, class_names)
                writer = writer or videos.Writer(part, videos.rate(source.path), image.size)
                writer.add(image)
        finally:
            if writer is not None:
                writer.close()


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
