"""Pages made of templates: one look, nothing loaded, no script but ours."""

import base64
import hashlib
import json
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined


def render_page(name: str, *, title: str, **values: Any) -> str:
    """Fill a template of the folder ``pages``; what is filled in is escaped.

    The page may run the script of its name, if there is one, and no other: its policy
    holds the hash of it, so that no text of a file or class can run.

    Args:
        name: Name of the template, without ending.
        title: Heading.
        **values: What the template needs.
    """
    folder = files('mmattn.visualization').joinpath('pages')
    path = folder.joinpath(f'{name}.js')
    script = path.read_text('utf-8') if path.is_file() else ''
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    source = f"'sha256-{digest}'" if script else "'none'"
    template = _environment().get_template(f'{name}.html')
    return template.render(title=title, script=script, script_source=source, **values)


def held_json(content: Any) -> str:
    r"""Return JSON that can stand in a script element: nothing in it ends that.

    Args:
        content: What JSON can hold, without NaN.

    Example:
        >>> held_json('</script>')
        '"\\u003c/script>"'
    """
    return json.dumps(content, allow_nan=False).replace('<', '\\u003c')


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader('mmattn.visualization', 'pages'),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters['percent'] = lambda share: f'{100 * share:.1f}'
    return environment
