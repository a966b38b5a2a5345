"""A comparison as one HTML page that needs nothing else: styles and picture are inside, there are no scripts.

Called by `compare`. Everything that comes from outside, such as the names of runs, is escaped; a content security
policy in the page forbids the browser to load anything, should something be overlooked.
"""

from collections.abc import Sequence
from pathlib import Path

from fer_exp.compare.tables import TextTable
from fer_exp.reporting import html_page


def render(
    title: str,
    verdict: str,
    facts: Sequence[str],
    notes: Sequence[str],
    tables: Sequence[TextTable],
    picture: bytes | None,
    appendix: TextTable,
) -> str:
    """Returns the page.

    Args:
        title: Of the page.
        verdict: What came out, in one sentence.
        facts: What was compared, one short text each.
        notes: What a reader must not miss, a sentence each.
        tables: In reading order.
        picture: A PNG; None if there is nothing to draw.
        appendix: A long table that stands last.
    """
    data = None if picture is None else html_page.base64_of(picture)
    template = html_page.template(Path(__file__).parent)
    return template.render(
        title=title, verdict=verdict, facts=facts, notes=notes, tables=tables, picture=data, appendix=appendix
    )
