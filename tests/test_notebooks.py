"""The notebooks run, and what they show can be shown."""

import ast
import json

import pytest
from pages import ROOT
from test_readmes import write_model_and_videos

NOTEBOOKS = sorted((ROOT / 'docs' / 'notebooks').glob('*.ipynb'))


def run_cell(source, names):
    """Run a cell and return the value of its last line, as a notebook does."""
    *body, last = ast.parse(source).body
    if not isinstance(last, ast.Expr):
        exec(source, names)
        return None
    exec(compile(ast.Module(body, []), 'cell', 'exec'), names)
    return eval(compile(ast.Expression(last.value), 'cell', 'eval'), names)


@pytest.mark.parametrize('path', NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs(path, tmp_path, monkeypatch):
    content = json.loads(path.read_text(encoding='utf-8'))
    write_model_and_videos(tmp_path)
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    shown = 0
    for cell in content['cells']:
        if cell['cell_type'] != 'code':
            continue
        assert not cell['outputs'], 'outputs are not kept'
        value = run_cell(''.join(cell['source']), names)
        if hasattr(value, '_repr_html_'):
            shown += 'data:image/jpeg;base64,' in value._repr_html_()
    assert shown == 2  # a picture of the clip, and one of the parts over time
