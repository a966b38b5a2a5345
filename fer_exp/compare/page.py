"""A comparison as one HTML page that needs nothing else: styles and picture are inside, there are no scripts.

Called by `compare`. Everything that comes from outside, such as the names of runs, is escaped; a content security
policy in the page forbids the browser to load anything, should something be overlooked.
"""

import base64
from collections.abc import Sequence
from pathlib import Path

import jinja2

from fer_exp.compare.tables import TextTable

_TEMPLATE = "page.html.jinja"


def render(
    title: str,
    facts: Sequence[str],
    notes: Sequence[str],
    tables: Sequence[TextTable],
    picture: bytes | None,
    appendix: TextTable,
) -> str:
    """Returns the page.

    Args:
        title: Of the page.
        facts: What was compared, one short text each.
        notes: What a reader must not miss, a sentence each.
        tables: In reading order.
        picture: A PNG; None if there is nothing to draw.
        appendix: A long table that stands last.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    data = None if picture is None else base64.b64encode(picture).decode()
    template = environment.get_template(_TEMPLATE)
    return template.render(title=title, facts=facts, notes=notes, tables=tables, picture=data, appendix=appendix)
