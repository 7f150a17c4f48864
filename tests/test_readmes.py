"""The documentation: what it names exists, and the code in it runs."""

import importlib
import inspect
import pydoc
import re
import shlex
from pathlib import Path

import mmaction
import numpy as np
import pytest
import torch
import yaml
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.registry import Registry

import mmattn.registry
from mmattn import compat
from mmattn.testing import make_tiny_data, train_and_test
from mmattn.utils.paper_rows import load_rows, with_table

ROOT = Path(__file__).resolve().parent.parent
CONFIGS = ROOT / 'configs'
READMES = sorted(CONFIGS.rglob('README.md'))
PAGES = [
    *(ROOT / f'{name}.md' for name in ('README', 'CHANGELOG', 'CONTRIBUTING')),
    *sorted((ROOT / 'docs').glob('*.md')),
    *READMES,
]
HOST_TOOLS = Path(mmaction.__file__).parent / '.mim' / 'tools'

LINK = re.compile(r'\]\(([^)\s]+)\)')
TREE = r'(?:\.ci|benchmarks|configs|docs|mmattn|tests|tools)'
PATH = re.compile(rf'(?<![\w/.~-]){TREE}/[\w./-]*\w')
SAVED = re.compile(r'Save this as `(\w+)\.py`:\n\n```python\n(.*?)^```$', re.M | re.S)
BLOCK = re.compile(r'^ *```(\w*)\n(.*?)^ *```$', re.M | re.S)
SPAN = re.compile(r'`([^`\n]+)`')
CONFIG = re.compile(r'\b[a-z]\w*[\w-]*_\d+xb\d+-[\w-]+-(?:rgb|flow)\b')
DOTTED = re.compile(r'(?<![\w/.])mmattn((?:\.[A-Za-z_]\w*)+)')
VERB = re.compile(r'\bmake ([a-z][a-z-]*)')
TOOL = re.compile(
    r'(?:python|torchrun[^\n]*?) (tools/\S+\.py)(.*)|mim run mmattn (\w+)'
)

pages = pytest.mark.parametrize('page', PAGES, ids=lambda p: str(p.relative_to(ROOT)))


def read(page: Path) -> str:
    return page.read_text(encoding='utf-8')


def blocks(page: Path, *languages: str) -> list[str]:
    found = [
        code for language, code in BLOCK.findall(read(page)) if language in languages
    ]
    return [inspect.cleandoc(code) for code in found]


def code_of(page: Path) -> str:
    """Code spans and blocks of a page, a line each."""
    text = read(page)
    spans = SPAN.findall(BLOCK.sub('', text))
    return '\n'.join([*spans, *(code for _, code in BLOCK.findall(text))])


def tables(page: Path) -> list[list[dict[str, str]]]:
    found = []
    for lines in re.findall(r'(?:^\|.*\|\n)+', read(page), re.M):
        rows = [
            [cell.strip() for cell in line.strip('|').split(' | ')]
            for line in lines.replace('||', '| |').splitlines()
        ]
        found.append([dict(zip(rows[0], row, strict=True)) for row in rows[2:]])
    return found


def table_with(page: Path, header: str) -> list[dict[str, str]]:
    (found,) = (t for t in tables(page) if t and header in t[0])
    return found


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
    stems = {path.stem for path in CONFIGS.rglob('*.py')}
    text = re.sub(r'mmaction::\S+', '', read(page))  # the host's
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


@pages
def test_tools_and_their_options_exist(page):
    for path, arguments, name in TOOL.findall(code_of(page)):
        (tool,) = [ROOT / path] if path else (ROOT / 'tools').rglob(f'{name}.py')
        source = read(tool) + read(ROOT / 'mmattn/utils/host_tools.py')
        source += read(ROOT / 'mmattn/apis/stream_reports.py')
        if tool.name in ('train.py', 'test.py'):
            source += read(HOST_TOOLS / tool.name)
        for module in re.findall(r'^from (mmattn\.apis\.\w+) import', source, re.M):
            source += read(ROOT / f'{module.replace(".", "/")}.py')
        words = shlex.split(arguments.strip().rstrip('`'), comments=True)
        for option in (word for word in words if word.startswith('--')):
            assert f"'{option}'" in source, f'{tool.name} {option}'


def test_the_finders_find():
    """The checks above see what they are for."""
    readme = ROOT / 'README.md'
    paper = CONFIGS / 'recognition/temporal_lstm/README.md'
    assert 'docs/install.md' in LINK.findall(read(readme))
    assert 'tools/constraints.txt' in PATH.findall(read(readme))
    assert len(set(CONFIG.findall(read(paper)))) > 10
    assert {'demo', 'test'} <= set(VERB.findall(code_of(readme)))
    assert '.TemporalLSTMHead' in DOTTED.findall(read(readme))
    found = [(path, name) for path, _, name in TOOL.findall(code_of(paper))]
    assert ('tools/analysis/fuse_scores.py', '') in found
    assert ('', 'extract_features') in found


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
    known = components().values()
    arguments = {name for cls in known for name in inspect.signature(cls).parameters}
    for row in table_with(readme, 'argument'):
        name = SPAN.findall(row['argument'])[0]
        assert name.split('.')[-1] in arguments, name


@pytest.mark.parametrize('readme', READMES, ids=lambda path: path.parent.name)
def test_rows_are_those_of_the_generator(readme):
    rows, key = load_rows(), readme.parent.name
    assert any(row.key == key for row in rows)
    message = 'run: python tools/paper_rows.py --write-readmes'
    assert with_table(read(readme), rows, key) == read(readme), message


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
    pins = dict(line.split('==') for line in lines if '==' in line)
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
    assert compat.LIGHT_INSTALL in page
    assert compat.FULL_INSTALL.split(' (')[0] in page


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
        num_steps=5,
        hidden_channels=2,
        test_steps=2,
    )
    cfg = dict(
        type='mmattn.FrameRecognizer',
        backbone=dict(type='mmattn.StoredFeatures'),
        cls_head=head,
    )
    batch = dict(
        inputs=[torch.rand(6, 11), torch.rand(9, 11)],
        data_samples=[ActionDataSample().set_gt_label(i) for i in range(2)],
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


@pages
def test_python_code_runs(page, tmp_path, monkeypatch):
    (tmp_path / 'configs').symlink_to(CONFIGS)
    monkeypatch.chdir(tmp_path)
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
