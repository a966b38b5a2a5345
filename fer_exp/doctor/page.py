"""What the doctor found as one HTML page that needs nothing else: styles and pictures are inside, there are no scripts.

Called by the doctor for data. Whatever comes from the data, such as names of files, is escaped; a content security
policy in the page forbids the browser to load anything, should something be overlooked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fer_exp.doctor.pool import Finding, Pool
from fer_exp.reporting import html_page

_MOST_ROWS = 30


@dataclass(frozen=True)
class Part:
    """A finding as it is shown.

    Attributes:
        kind: Of the finding.
        title: Of the finding.
        count: How many.
        listed: How many of them are in findings.csv.
        advice: What to do.
        rows: name, split, label, detail of the first ones.
        picture: A PNG in base64; empty if there is none.
    """

    kind: str
    title: str
    count: int
    listed: int
    advice: str
    rows: Sequence[tuple[str, str, str, str]]
    picture: str


def parts(pool: Pool, found: Sequence[Finding], pictures: Mapping[str, Path]) -> list[Part]:
    """Returns what there is to show.

    Args:
        pool: The images.
        found: The findings; those of nothing are left out.
        pictures: PNG of each kind that has one.
    """
    shown = []
    for finding in (finding for finding in found if len(finding)):
        rows = [
            (str(pool.names[row]), pool.split(row), pool.label(row), detail)
            for row, detail in zip(finding.rows[:_MOST_ROWS].tolist(), finding.details, strict=False)
        ]
        rows += [(name, "", "", detail) for name, detail in finding.missing[:_MOST_ROWS]]
        picture = pictures.get(finding.kind)
        data = "" if picture is None else html_page.base64_of(picture.read_bytes())
        listed = len(finding.rows) + len(finding.missing)
        shown.append(Part(finding.kind, finding.title, len(finding), listed, finding.advice, rows, data))
    return shown


def render(
    title: str,
    facts: Sequence[str],
    notes: Sequence[str],
    counts: Sequence[Sequence[str]],
    shown: Sequence[Part],
    samples: Path | None,
    files: Mapping[str, str],
) -> str:
    """Returns the page.

    Args:
        title: Of the page.
        facts: What was examined, one short text each.
        notes: What a reader must not miss, a sentence each.
        counts: Table of the classes, its header first.
        shown: The findings.
        samples: PNG with images of each class; None if there is none.
        files: What each file beside the page is for.
    """
    drawn = "" if samples is None else html_page.base64_of(samples.read_bytes())
    template = html_page.template(Path(__file__).parent)
    return template.render(
        title=title, facts=facts, notes=notes, counts=counts, parts=shown, samples=drawn, files=files, most=_MOST_ROWS
    )
