"""Names that users' configs and checkpoints depend on do not change by accident.

``names.json`` holds the registered names, the base names of the configs, and for each
config the number of tensors in its model's state dict and a digest of their names and
shapes. After a change that is meant: ``python tests/test_names.py``.
"""

import hashlib
import json
from pathlib import Path

import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.registry import init_default_scope

import mmattn  # noqa: F401  (repairs the stack before mmaction.models is imported)
from mmattn import registry
from mmattn.utils.configs import configs_root

FILE = Path(__file__).with_name('names.json')
CONFIGS = sorted(p for p in configs_root().rglob('*.py') if '_base_' not in p.parts)


def registered_names():
    names = {}
    for item in vars(registry).values():
        if isinstance(item, registry.Registry) and item.scope == registry.SCOPE:
            item.import_from_location()
            ours = {
                name
                for name, kind in item.module_dict.items()
                if kind.__module__.startswith('mmattn.')
            }
            names[item.name] = sorted(ours)
    return names


def without_weights(node):
    """Drop every ``init_cfg`` of published weights: only names and shapes count."""
    if isinstance(node, dict):
        return {
            key: without_weights(value)
            for key, value in node.items()
            if key != 'init_cfg' or (value or {}).get('type') != 'Pretrained'
        }
    return [without_weights(x) for x in node] if isinstance(node, list) else node


def digest(path):
    init_default_scope('mmaction')
    model = without_weights(Config.fromfile(path).model.to_dict())
    with torch.device('meta'):
        state = registry.MODELS.build(ConfigDict(model)).state_dict()
    lines = sorted(f'{key} {tuple(value.shape)}' for key, value in state.items())
    return [len(lines), hashlib.sha256('\n'.join(lines).encode()).hexdigest()[:16]]


def stored():
    return json.loads(FILE.read_text(encoding='utf-8'))


def test_no_registered_name_and_no_config_is_gone():
    now, before = registered_names(), stored()
    gone = {
        kind: set(names) - set(now[kind])
        for kind, names in before['registered'].items()
    }
    assert not any(gone.values()), gone
    assert set(before['state_dicts']) <= {path.name for path in CONFIGS}


@pytest.mark.parametrize('folder', sorted({p.parent.name for p in CONFIGS}))
def test_state_dicts_are_those_of_before(folder):
    if folder == 'slowfast_attn':
        pytest.importorskip('mmdet')
    expected = stored()['state_dicts']
    paths = [p for p in CONFIGS if p.parent.name == folder and p.name in expected]
    assert {p.name: digest(p) for p in paths} == {
        p.name: expected[p.name] for p in paths
    }


if __name__ == '__main__':
    content = {
        'registered': registered_names(),
        'state_dicts': {path.name: digest(path) for path in CONFIGS},
    }
    FILE.write_text(json.dumps(content, indent=1) + '\n', encoding='utf-8')
