"""Templates of pages that need nothing else, and pictures inside them.

Called by what writes an HTML page: a comparison, a run, the doctor. It must not know what is on a page.
"""

import base64
from pathlib import Path

import jinja2


def template(folder: Path) -> jinja2.Template:
    """Returns `page.html.jinja` of a folder; what is put into it is escaped, and leaving something out is an error."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([folder, Path(__file__).parent]),  # the page's own, and what pages share
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.jinja")


def base64_of(picture: bytes) -> str:
    """Returns a picture as it stands in a page, behind `data:image/...;base64,`."""
    return base64.b64encode(picture).decode()
