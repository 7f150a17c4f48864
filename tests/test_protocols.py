"""The shipped configs hold the values that the papers give, and our readings of them.

The values are data, in ``protocol.yml`` beside the configs of each paper.
"""

import copy
import fnmatch
import functools
import importlib
import re

import pytest
import yaml
from mmengine.config import Config
from mmengine.registry import Registry, init_default_scope

from mmattn.registry import DATASETS, METRICS, MODELS, TRANSFORMS
from mmattn.signatures import EMPTY, signature_of
from mmattn.utils.configs import configs_root

PROTOCOLS = sorted(configs_root().rglob('protocol.yml'))
CONFIGS = sorted(p for p in configs_root().rglob('*.py') if '_base_' not in p.parts)
PAPERS = [path.parent.name for path in PROTOCOLS]
MISSING = object()


@functools.cache
def load(path):
    return Config.fromfile(path)


@functools.cache
def protocol_of(path):
    return yaml.safe_load(path.read_text(encoding='utf-8'))


def default_of(node, argument):
    """Default of an argument that a config leaves to its class."""
    init_default_scope('mmaction')
    kind = node['type'].split('.')[-1]
    for registry in (MODELS, TRANSFORMS, DATASETS, METRICS):
        found = registry.get(f'mmattn.{kind}')
        if found is not None:
            known = signature_of(found).arguments.get(argument)
            if known is not None and known.default is not EMPTY:
                return known.default
    return MISSING


def look_up(node, where):
    """Value at a dotted path; a list is entered by number or by a step's type."""
    for name in where.split('.'):
        if isinstance(node, (list, tuple)):
            if name.isdigit():
                node = node[int(name)]
            else:
                kinds = [str(step['type']).split('.')[-1] for step in node]
                node = node[kinds.index(name)] if name in kinds else MISSING
        elif name in node:
            node = node[name]
        else:
            node = default_of(node, name) if 'type' in node else MISSING
        if node is MISSING:
            return f'nothing at {where}'
    if isinstance(node, str):
        return node.split('.')[-1]
    return list(node) if isinstance(node, (list, tuple)) else node


def found_in(cfg, entry, path):
    if entry['where'] == 'BATCH':  # processes in the name, samples in the config
        processes, samples = re.search(r'_(\d+)xb(\d+)-', path.name).groups()
        assert cfg.train_dataloader.batch_size == int(samples), path.name
        return int(processes) * cfg.train_dataloader.batch_size
    return look_up(cfg, entry['where'])


def configs_of(protocol, entry):
    patterns = protocol['groups'][entry['group']]
    return [p for p in CONFIGS if any(fnmatch.fnmatch(p.name, x) for x in patterns)]


def differences(protocol_path, change=lambda cfg: None):
    """Every value of a protocol that a config does not have, in words."""
    protocol = protocol_of(protocol_path)
    wrong = []
    for entry in protocol['values']:
        paths = configs_of(protocol, entry)
        assert paths, f'{protocol_path}: no config in group {entry["group"]}'
        for path in paths:
            cfg = load(path)
            if change is not None:
                cfg = copy.deepcopy(cfg)
                change(cfg)
            got = found_in(cfg, entry, path)
            if got != entry['value']:
                wrong.append(
                    f'{protocol["paper"]}, section {entry["section"]} '
                    f'({entry["source"]}): {entry["what"]} is {entry["value"]!r}, '
                    f'{path.name} has {got!r} at {entry["where"]}'
                )
    return wrong


@pytest.mark.parametrize('path', PROTOCOLS, ids=PAPERS)
def test_configs_hold_the_values_of_the_paper(path):
    assert not differences(path, change=None)


def test_every_paper_has_a_protocol():
    assert PAPERS == ['slowfast_attn', 'convlstm', 'pyramid', 'stbta', 'temporal_lstm']


@pytest.mark.parametrize('path', PROTOCOLS, ids=PAPERS)
def test_entries_are_whole_and_name_their_source(path):
    protocol = protocol_of(path)
    used = set()
    for entry in protocol['values']:
        assert set(entry) == {'what', 'section', 'source', 'group', 'where', 'value'}
        assert re.match(r'text$|reading', entry['source']), entry
        used.add(entry['group'])
    assert used == set(protocol['groups'])


def test_a_changed_value_is_named_with_paper_and_section():
    path = PROTOCOLS[PAPERS.index('temporal_lstm')]

    def change(cfg):
        if 'test_steps' in cfg.model.get('cls_head', {}):
            cfg.model.cls_head.test_steps = 30

    wrong = differences(path, change)
    assert wrong
    assert all('(ICIP 2017), section 3.2 (text): steps that count' in w for w in wrong)


def test_a_default_of_a_class_counts_as_a_value():
    cfg = dict(type='mmattn.STBTA', t=2)
    assert look_up(cfg, 'spatial_attention') == 'sam1'
    assert look_up(cfg, 'nothing_like_it') == 'nothing at nothing_like_it'


def every_node(node):
    """All dictionaries of a config."""
    if isinstance(node, dict):
        yield node
        node = list(node.values())
    if isinstance(node, (list, tuple)):
        for value in node:
            yield from every_node(value)


def registered(package):
    """Names of the components that a package and what it imports have registered."""
    module = importlib.import_module(f'{package}.registry')
    for registry in vars(module).values():
        if isinstance(registry, Registry):
            if package == 'mmattn':
                registry.import_from_location()
            yield from registry.module_dict


def test_every_component_that_a_config_names_exists():
    """Also of what no fast test builds: loops, hooks, samplers, wrappers, steps."""
    for package in ('mmaction', pytest.importorskip('mmdet').__name__):
        utils = importlib.import_module(f'{package}.utils')
        utils.register_all_modules(init_default_scope=False)
    nodes = [node for path in CONFIGS for node in every_node(load(path).to_dict())]
    names = {node['type'] for node in nodes if isinstance(node.get('type'), str)}
    ours = {name.removeprefix('mmattn.') for name in names if 'mmattn.' in name}
    assert ours <= set(registered('mmattn'))
    hosts = {name for name in names if 'mmattn.' not in name}
    hosts -= {'AvgConsensus', 'nms'}  # of a head, and an option of an operator
    hosts = {name.rpartition('.')[2] for name in hosts}
    assert hosts <= {
        x for p in ('mmengine', 'mmaction', 'mmdet') for x in registered(p)
    }


def test_folders_of_configs_are_those_that_the_docs_make():
    """A command that makes `data/ucf101/rawframes` makes that of HMDB51, too."""

    def general(path):
        return re.sub(r'ucf101|hmdb51|trimmed|keyframes|motion|interaction', '*', path)

    root = configs_root().parent
    pages = [*root.glob('docs/*.md'), *root.rglob('configs/**/README.md')]
    text = '\n'.join(page.read_text(encoding='utf-8') for page in pages)
    made = {general(path) for path in re.findall(r'data/[\w./-]*\w', text)}
    made |= {'data/synthetic/*/rawframes'}  # `rawframes/<name>` of the page on these
    used = {
        general(folder)
        for path in CONFIGS
        for node in every_node(load(path).to_dict())
        for folder in node.get('data_prefix', {}).values()
        if folder
    }
    assert len(used) > 5
    assert used <= made
