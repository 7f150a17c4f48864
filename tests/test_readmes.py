"""The documentation: what it names exists, and the code in it runs."""

import importlib
import inspect
import pydoc
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import mmaction
import numpy as np
import pytest
import torch
import yaml
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.registry import Registry
from packaging.requirements import Requirement
from pages import BLOCK, ROOT, SPAN, blocks, read, table_with

import mmattn.registry
from mmattn import compat
from mmattn.inference.models import load_model
from mmattn.reports.claims import with_part
from mmattn.reports.row_tables import rows_page, rows_table
from mmattn.reports.rows import load_rows, rows_of_paper
from mmattn.signatures import signature_of
from mmattn.testing import make_tiny_data, shrink, train_and_test
from mmattn.testing.numbered_videos import Film, write_film

CONFIGS = ROOT / 'configs'
READMES = sorted(CONFIGS.rglob('README.md'))
PAGES = [
    *(ROOT / f'{name}.md' for name in ('README', 'CHANGELOG', 'CONTRIBUTING')),
    *sorted((ROOT / 'docs').glob('*.md')),
    *READMES,
]

LINK = re.compile(r'\]\(([^)\s]+)\)')
TREE = r'(?:\.ci|benchmarks|configs|docs|mmattn|tests|tools)'
PATH = re.compile(rf'(?<![\w/.~-]){TREE}/[\w./-]*\w')
SAVED = re.compile(r'Save this as `(\w+)\.py`:\n\n```python\n(.*?)^```$', re.M | re.S)
CONFIG = re.compile(r'\b[a-z]\w*[\w-]*_\d+xb\d+-[\w-]+-(?:rgb|flow)\b')
DOTTED = re.compile(r'(?<![\w/.])mmattn((?:\.[A-Za-z_]\w*)+)')
VERB = re.compile(r'\bmake ([a-z][a-z-]*)')

pages = pytest.mark.parametrize('page', PAGES, ids=lambda p: str(p.relative_to(ROOT)))


def code_of(page: Path) -> str:
    """Code spans and blocks of a page, a line each."""
    text = read(page)
    spans = SPAN.findall(BLOCK.sub('', text))
    return '\n'.join([*spans, *(code for _, code in BLOCK.findall(text))])


def components() -> dict[str, type]:
    found = {}
    for registry in vars(mmattn.registry).values():
        if isinstance(registry, Registry) and registry.scope == 'mmattn':
            registry.import_from_location()
            found.update(registry.module_dict)
    return found


def test_pages_are_found():
    names = {page.relative_to(ROOT).as_posix() for page in PAGES}
    assert 'configs/recognition/temporal_lstm/README.md' in names
    assert len(list(CONFIGS.rglob('metafile.yml'))) == len(READMES)
    assert {'docs/install.md', 'docs/attention_maps.md'} < names


@pages
def test_links_lead_somewhere(page):
    for target in LINK.findall(BLOCK.sub('', read(page))):
        if target.startswith(('http://', 'https://')):
            continue
        path, _, anchor = target.partition('#')
        linked = page.parent / path if path else page
        assert linked.exists(), target
        if anchor:
            titles = re.findall(r'^#+ (.*)$', read(linked), re.M)
            slugs = [
                re.sub(r'[^\w -]', '', t.lower()).replace(' ', '-') for t in titles
            ]
            assert anchor in slugs, target


@pages
def test_paths_exist(page):
    for path in PATH.findall(LINK.sub('', read(page))):
        assert (ROOT / path).exists(), path


@pages
def test_configs_exist(page):
    folders = (CONFIGS, Path(mmaction.__file__).parent / '.mim' / 'configs')
    stems = {path.stem for folder in folders for path in folder.rglob('*.py')}
    text = re.sub(r'mmaction::\S+', '', read(page))
    assert set(CONFIG.findall(text)) <= stems


@pages
def test_make_verbs_exist(page):
    verbs = set(re.findall(r'^([a-z][a-z-]*):', read(ROOT / 'Makefile'), re.M))
    assert set(VERB.findall(code_of(page))) <= verbs


@pages
def test_dotted_names_exist(page):
    known = components()
    for dotted in DOTTED.findall(read(page)):
        name = dotted.lstrip('.')
        if name.isupper():  # a placeholder
            continue
        if name[0].isupper():
            assert name in known, f'mmattn.{name}'
        else:
            assert pydoc.locate(f'mmattn.{name}') is not None, f'mmattn.{name}'


def test_the_finders_find():
    """The checks above see what they are for."""
    readme = ROOT / 'README.md'
    paper = CONFIGS / 'recognition/temporal_lstm/README.md'
    assert 'docs/install.md' in LINK.findall(read(readme))
    assert 'tools/constraints.txt' in PATH.findall(read(readme))
    assert len(set(CONFIG.findall(read(paper)))) > 10
    assert {'demo'} <= set(VERB.findall(code_of(readme)))
    assert '.TemporalLSTMHead' in DOTTED.findall(read(readme))


@pytest.mark.parametrize('readme', READMES, ids=lambda path: path.parent.name)
def test_equations_are_where_the_table_says(readme):
    rows = table_with(readme, 'class or function')
    assert len(rows) >= 8
    for row in rows:
        cells = {key: value.strip('`') for key, value in row.items()}
        file, test = ROOT / cells['file'], ROOT / cells['test']
        name = cells['class or function']
        module = '.'.join(file.relative_to(ROOT).with_suffix('').parts)
        target = importlib.import_module(module)
        for part in name.split('.'):
            target = getattr(target, part)
        assert target.__module__ == module, name
        subject = rf'\b({name.split(".")[0]}|{module})\b'
        assert re.search(subject, read(test)), (name, test)
        assert (readme.parent / cells['config']).is_file()


@pytest.mark.parametrize('readme', READMES, ids=lambda path: path.parent.name)
def test_choices_are_arguments(readme):
    layers = (
        getattr(mmattn.models.layers, name) for name in mmattn.models.layers.__all__
    )
    known = [*components().values(), *filter(inspect.isclass, layers)]
    arguments = {name for cls in known for name in signature_of(cls).arguments}
    for row in table_with(readme, 'argument'):
        name = SPAN.findall(row['argument'])[0]
        assert name.split('.')[-1] in arguments, name


@pytest.mark.parametrize('readme', READMES, ids=lambda path: path.parent.name)
def test_rows_are_those_of_the_generator(readme):
    rows, key = load_rows(), readme.parent.name
    assert any(row.key == key for row in rows)
    message = 'run: python tools/paper_rows.py --write-pages'
    table = rows_table(rows_of_paper(rows, key), key)
    assert with_part(read(readme), 'rows', table) == read(readme), message


def test_page_of_all_rows_is_that_of_the_generator():
    message = 'run: python tools/paper_rows.py --write-pages'
    assert rows_page(load_rows()) == read(ROOT / 'docs/paper_rows.md'), message


def test_metafiles():
    index = yaml.safe_load(read(ROOT / 'model-index.yml'))['Import']
    files = [
        path.relative_to(ROOT).as_posix() for path in CONFIGS.rglob('metafile.yml')
    ]
    assert sorted(index) == sorted(files)
    names = []
    for file in files:
        content = yaml.safe_load(read(ROOT / file))
        (collection,) = content['Collections']
        assert (ROOT / collection['README']).is_file()
        listed = [ROOT / model['Config'] for model in content['Models']]
        assert sorted(listed) == sorted((ROOT / file).parent.glob('*.py'))
        for model in content['Models']:
            names.append(model['Name'])
            assert model['Name'] == Path(model['Config']).stem
            assert model['In Collection'] == collection['Name']
            assert model['Weights'], 'mim download needs a value'
            assert 'Results' not in model, 'no figure of ours is measured yet'
    assert len(set(names)) == len(names)


def pinned_versions() -> dict[str, str]:
    lines = read(ROOT / 'tools/constraints.txt').splitlines()
    pins = {}
    for pin in (Requirement(line) for line in lines if '==' in line):
        if pin.marker is None or pin.marker.evaluate():
            pins[pin.name] = str(pin.specifier).removeprefix('==')
    script = read(ROOT / 'tools/setup_env.sh')
    for name in ('torch', 'mmcv'):
        pins[name] = re.search(rf'^{name}=(\S+)$', script, re.M)[1]
    return pins


def test_versions_are_the_pinned_ones():
    pins, checked = pinned_versions(), set()
    for row in table_with(ROOT / 'docs/install.md', 'package'):
        for name in row['package'].split(', '):
            if name in pins:
                assert row['tested'] == pins[name], name
                checked.add(name)
    assert {'torch', 'mmcv', 'mmengine', 'mmaction2', 'mmdet', 'numpy'} <= checked
    tested, _ = table_with(ROOT / 'README.md', 'works together')
    for name in ('torch', 'mmengine', 'mmaction2', 'mmdet', 'numpy'):
        assert tested[name] == pins[name], name
    assert tested['mmcv or mmcv-lite'] == pins['mmcv']


def test_installation_is_that_of_the_messages():
    page = read(ROOT / 'docs/install.md')
    assert compat.MMCV_RANGE in page
    assert compat.MMCV_INSTALL in page
    for command in compat.COMPILED_INSTALL.partition(': ')[2].split('; '):
        assert command in page


def test_first_screen_is_short():
    before, _, _ = read(ROOT / 'README.md').partition('## Where to read on')
    assert len(before.splitlines()) <= 50


def is_config(code: str) -> bool:
    return 'model = dict(' in code


def is_of_host(code: str) -> bool:
    """Whether a config of the host is its base; test_docs_pieces.py builds those."""
    return "_base_ = 'mmaction::" in code


def config_of(code: str) -> Config:
    return Config.fromstring(code.replace('../configs', str(CONFIGS)), '.py')


@pages
def test_configs_in_pages_build(page, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    for name, code in SAVED.findall(read(page)):
        (tmp_path / f'{name}.py').write_text(code)
    for code in filter(is_config, blocks(page, 'python')):
        if is_of_host(code):
            continue
        assert MODELS.build(config_of(code).model) is not None


def test_complete_config_trains(tmp_path):
    (code,) = (c for c in blocks(ROOT / 'docs/own_config.md', 'python') if 'Loop' in c)
    data, cfg = make_tiny_data(tmp_path / 'data'), config_of(code)
    cfg.model.backbone.depth, cfg.model.cls_head.in_channels = 18, 512
    for name in ('train', 'val', 'test'):
        loader = cfg[f'{name}_dataloader']
        loader.update(num_workers=0, batch_size=2)
        loader.dataset.ann_file = str(data / 'videos.txt')
        loader.dataset.data_prefix = dict(video=str(data / 'videos'))
        for step in loader.dataset.pipeline:
            small = dict(Resize=dict(scale=(-1, 36)), RandomCrop=dict(size=32))
            small['CenterCrop'] = dict(crop_size=32)
            step.update(small.get(step.type, {}))
    cfg.train_cfg.max_epochs = 1
    result = train_and_test(cfg, tmp_path / 'work')
    assert 0 < result['loss'] < 100


def model_and_batch() -> dict:
    """What docs/attention_maps.md takes as given: 5 windows of 3 frames, 2 videos."""
    head = dict(
        type='mmattn.TemporalLSTMHead',
        num_classes=7,
        in_channels=11,
        num_segments=3,
        test_steps=2,
        lstm=dict(num_steps=5, hidden_channels=2),
    )
    cfg = dict(
        type='mmattn.FrameRecognizer',
        backbone=dict(type='mmattn.StoredFeatures'),
        cls_head=head,
    )
    batch = dict(
        inputs=[torch.rand(6, 11), torch.rand(9, 11)],
        data_samples=[
            ActionDataSample(metainfo=dict(frame_indices=range(count)))
            for count in (6, 9)
        ],
    )
    frames = np.zeros((3, 32, 32, 3), np.uint8)
    return dict(model=MODELS.build(cfg).eval(), batch=batch, frames=frames)


def run_blocks(page: Path) -> dict:
    names = dict(__name__='page')
    if page.name == 'attention_maps.md':
        names |= model_and_batch()
    saved = [inspect.cleandoc(code) for _, code in SAVED.findall(read(page))]
    for code in blocks(page, 'python'):
        if not is_config(code) and code not in saved:
            exec(compile(code, str(page), 'exec'), names)
    return names


def write_model_and_videos(folder: Path) -> None:
    """What docs/predict.md takes as given: a work folder and two videos."""
    data = make_tiny_data(folder / 'data')
    stem = 'temporal_lstm_tiny-vgg16bn_1xb8-30x1-50e_keyframes-rgb'
    cfg = shrink(Config.fromfile(next(CONFIGS.rglob(f'{stem}.py'))), data)
    network = load_model(cfg, untrained=True)
    meta = dict(cfg=cfg.pretty_text, dataset_meta=dict(classes=['hug', 'push', 'kick']))
    path = folder / 'work_dirs' / 'mine' / 'epoch_1.pth'
    path.parent.mkdir(parents=True)
    torch.save(dict(state_dict=network.state_dict(), meta=meta), path)
    for k, name in enumerate(('video', 'film')):
        shutil.copy(data / 'videos' / f'clip_{k}.mp4', folder / f'{name}.mp4')


@pages
def test_python_code_runs(page, tmp_path, monkeypatch):
    (tmp_path / 'configs').symlink_to(CONFIGS)
    write_film(tmp_path, Film('h264', 'mp4')).rename(tmp_path / 'a.mp4')
    monkeypatch.chdir(tmp_path)
    if page.name == 'fine_tune.md':  # what it calls has tests of its own
        outcome = SimpleNamespace(accuracy=0.75, low=0.47, high=0.91)
        done = SimpleNamespace(outcome=outcome, page=tmp_path / 'report.html')
        monkeypatch.setattr('mmattn.front.train.train', lambda data, system: done)
    if page.name == 'predict.md':
        write_model_and_videos(tmp_path)
        monkeypatch.setattr('PIL.Image.Image.show', lambda picture: None)
    run_blocks(page)


def test_attention_maps_of_the_page(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = run_blocks(ROOT / 'docs/attention_maps.md')
    expected = "cls_head.frame_weights ('row', 'step', 'frame') (5, 5, 3)"
    assert expected in capsys.readouterr().out
    assert len(names['of_first_video'][0].map) == 2
    assert (tmp_path / 'out/clip.png').is_file()
    weighted = names['FrameAttention'](3)(torch.ones(2, 5, 3))
    torch.testing.assert_close(weighted, torch.ones(2, 3))
    q = torch.rand(2, 5, 3)
    fused = names['FusedAttention']()
    with names['capture_attention'](fused) as records:
        output = fused(q, q, q)
    torch.testing.assert_close(records[0].map @ q, output)
    with names['capture_attention'](names['FrameAttention'](3)):
        shapes = []
        names['score_videos'](
            lambda x: shapes.append(x.shape) or x.flatten(1).mean(1),
            lambda x: shapes.append(x.shape),
            torch.rand(2, 3, 1, 5, 7),
        )
    assert shapes == [(6, 1, 5, 7), (2, 3)]


def test_steps_of_the_demo_name_the_last_checkpoints():
    """The page trains with a config into a folder, and reads its last epoch."""
    text = (ROOT / 'docs/get_started.md').read_text(encoding='utf-8')
    trained = re.findall(r'train\.py (\S+\.py) --work-dir (\S+)', text)
    assert len(trained) == 2
    for config, folder in trained:
        last = Config.fromfile(ROOT / config).train_cfg.max_epochs
        named = re.findall(rf'{folder}/epoch_(\d+)\.pth', text)
        assert set(named) == {str(last)}, config


def test_mim_gets_the_files_names_of_configs():
    """mim looks for a config by its exact file name, with its ending."""
    names = {path.name for path in CONFIGS.rglob('*.py')}
    given = []
    for page in PAGES:
        named = re.findall(
            r'mim (?:train|test) mm(?:attn|action2) ([\w./-]+)', read(page)
        )
        given += [name for name in named if '/' not in name]  # others are paths
    known = ('CONFIG', 'CONFIG.py', 'NAME.py', 'mine.py')
    assert set(given) - names - set(known) == set()
    assert set(given) & names
