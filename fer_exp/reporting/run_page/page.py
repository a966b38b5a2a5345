"""A run as one HTML page that needs nothing else: styles and pictures are inside, there are no scripts.

Called by `conclusion`. What comes from outside, such as names of classes and paths, is escaped; a content security
policy in the page forbids the browser to load anything, should something be overlooked.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fer_exp.record import layout
from fer_exp.reporting import html_page
from fer_exp.reporting.run_page import contents, pictures
from fer_exp.reporting.run_page.contents import About, Table
from fer_exp.reporting.run_page.pictures import Picture


@dataclass(frozen=True)
class Section:
    """A part of the page; `folded` tables are opened by the reader, `wide` pictures scrolled sideways on a phone."""

    title: str
    pictures: Sequence[Picture]
    tables: Sequence[Table]
    folded: bool = False
    wide: bool = False


def write(folder: Path, about: About) -> str:
    """Writes the page into the folder of a run.

    Args:
        folder: Of the run, with `figures/` and `tables/`.
        about: The run.

    Returns:
        The page.
    """
    found, left_out = pictures.collect(folder / layout.FIGURES)
    notes = contents.notes(folder, about)
    if left_out:
        notes.append(f"no room here for these figures of the run: {', '.join(left_out)}")
    text = render(about, notes, sections(folder, about, found))
    (folder / layout.PAGE).write_text(text, encoding="utf-8")
    return text


def sections(folder: Path, about: About, found: Sequence[Picture]) -> list[Section]:
    """Returns the parts of the page in reading order; empty ones are left out.

    Args:
        folder: Of the run.
        about: The run.
        found: Its pictures.
    """

    def of(place: str) -> list[Picture]:
        return [picture for picture in found if picture.section == place]

    parts = [
        Section("Classes", [], [contents.classes(about)]),
        Section(pictures.CONFUSION, of(pictures.CONFUSION), [contents.confusions(about)], wide=True),
        Section(pictures.TRAINING, of(pictures.TRAINING), []),
        Section(pictures.QUALITY, of(pictures.QUALITY), []),
        Section(pictures.EXAMPLES, of(pictures.EXAMPLES), []),
        Section(pictures.EXPORTS, of(pictures.EXPORTS), contents.exports(folder)),
        Section(pictures.OTHERS, of(pictures.OTHERS), []),
        Section("Data", [], [contents.images(about)]),
        Section("More tables", [], list(contents.others(folder)), folded=True),
    ]
    return [part for part in parts if part.pictures or part.tables]


def render(about: About, notes: Sequence[str], parts: Sequence[Section]) -> str:
    """Returns the page.

    Args:
        about: The run.
        notes: What a reader must not miss, a sentence each.
        parts: In reading order.
    """
    return html_page.template(Path(__file__).parent).render(
        name=about.name, scores=contents.scores(about), facts=contents.facts(about), notes=notes,
        sections=parts, commands=about.commands,
    )  # fmt: skip
