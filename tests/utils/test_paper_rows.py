"""The rows of the papers' tables as data."""

import re
import shlex
from pathlib import Path

import pytest
import yaml

from mmattn.utils.paper_rows import (
    BEGIN,
    END,
    PaperRow,
    config_path,
    configs_root,
    distinct_runs,
    load_config,
    load_rows,
    markdown_table,
    rows_of_paper,
    with_table,
)

ROWS = load_rows()
IDS = [f'{row.key}-{row.table}-{row.row}-{row.dataset}' for row in ROWS]
TOOLS = Path(__file__).resolve().parents[2] / 'tools'
CHECKPOINT = re.compile(r'\$\(cat work_dirs/(\S+)/last_checkpoint\)')


def make_row(**changes):
    values = dict(
        key='k',
        paper='p',
        table='1',
        row='r',
        dataset='d',
        metric='m',
        figure=50.0,
        ours=None,
        configs=('a.py',),
    )
    return PaperRow(**{**values, **changes})


def test_temporal_lstm_has_the_papers_figures():
    """Table 1: streams x {baseline, attention} on UCF101 and HMDB51."""
    figures = {row.dataset: [] for row in ROWS if row.key == 'temporal_lstm'}
    for row in ROWS:
        if row.key == 'temporal_lstm' and row.table == '1':
            figures[row.dataset].append(row.figure)
    assert sorted(figures['UCF101']) == [83.4, 84.2, 88.5, 90.4, 91.6, 93.3]
    assert sorted(figures['HMDB51']) == [52.3, 54.2, 60.7, 62.9, 63.3, 65.0]


def test_convlstm_has_the_reports_figure():
    """Section 4: "an accuracy of 82%"."""
    (row,) = (row for row in ROWS if row.key == 'convlstm')
    assert (row.figure, row.metric) == (82.0, 'frame-level accuracy')


def test_pyramid_has_the_papers_figures():
    """Tables 1 and 2; the averages of (e) and the gains that the text states."""
    rows = [row for row in ROWS if row.key == 'pyramid']
    found = {
        (row.table, row.row, row.dataset): row.figure
        for row in rows
        if row.figure is not None
    }
    assert len({(row.table, row.row, row.dataset) for row in rows}) == len(rows)
    tables = {row.table for row in rows}
    assert {f'1 ({part})' for part in 'abcde'} < tables
    assert {'2 (a)', '2 (b)'} < tables
    for network, gains in (
        ('VGGNet-16', (3.4, 1.6, 2.1)),
        ('BN-Inception', (2.2, 0.7, 2.6)),
        ('Inception-ResNet-V2', (3.0, 3.4, 2.5)),
    ):
        for stream, gain in zip(('RGB', 'flow', 'late fusion'), gains, strict=True):
            name = f'{network}, {stream}'
            ours = found['1 (e)', f'{name}, 3 scales', 'UCF101']
            assert ours - found['1 (e)', name, 'UCF101'] == pytest.approx(gain)


@pytest.mark.parametrize('row', ROWS, ids=IDS)
def test_commands_are_well_formed(row):
    """Our tools and configs only, and no checkpoint before the run that writes it."""
    tools = {path.stem for path in TOOLS.rglob('*.py')}
    configs, trained, written = set(), set(), set()
    for command in row.commands:
        words = shlex.split(command)
        assert words[0] == 'mim'
        verb = words[1]
        assert words[2] == 'mmattn'
        assert verb in ('train', 'test', 'run')
        if verb == 'run':
            assert words[3] in tools
        for config in (word for word in words if word.endswith('.py')):
            assert len(list(configs_root().rglob(config))) == 1, config
        for stem in CHECKPOINT.findall(command):
            assert stem in trained
        if verb == 'train':
            configs.add(words[3])
            own = '--work-dir' in words
            trained.add(Path(words[words.index('--work-dir') + 1 if own else 3]).stem)
        if '--dump' in words:
            written.add(words[words.index('--dump') + 1])
        if words[3] == 'fuse_scores':
            assert written == {word for word in words if word.endswith('.pkl')}
            assert len(words[words.index('--weights') + 1 :]) == len(row.configs)
    assert set(row.configs) <= configs


@pytest.mark.parametrize('row', ROWS, ids=IDS)
def test_features_that_are_trained_on_are_extracted_before(row):
    """What extract_features writes is the folder that the configs read."""
    extracted = [
        words[-1]
        for words in map(shlex.split, row.prepare)
        if words[3] == 'extract_features'
    ]
    needed = []
    for config in row.configs:
        dataset = load_config(config_path(row, config)).train_dataloader.dataset
        if dataset.type == 'mmattn.FeatureDataset':
            needed.append(dataset.data_prefix.feature)
    assert extracted == needed


def test_commands_of_a_fused_row():
    row = make_row(
        configs=('a.py', 'b.py'),
        options=('x=1',),
        weights=(1.0, 2.0),
        prepare=('mim run mmattn first',),
    )
    a, b = (f'work_dirs/{stem}_9e95a87e' for stem in 'ab')
    assert row.commands == [
        'mim run mmattn first',
        f'mim train mmattn a.py --work-dir {a} --cfg-options x=1',
        f'mim test mmattn a.py --checkpoint "$(cat {a}/last_checkpoint)" '
        f'--dump a.pkl --work-dir {a} --cfg-options x=1',
        f'mim train mmattn b.py --work-dir {b} --cfg-options x=1',
        f'mim test mmattn b.py --checkpoint "$(cat {b}/last_checkpoint)" '
        f'--dump b.pkl --work-dir {b} --cfg-options x=1',
        'mim run mmattn fuse_scores a.pkl b.pkl --weights 1 2',
    ]
    assert row.as_dict()['commands'] == row.commands


def test_streams_have_options_of_their_own():
    row = make_row(
        configs=('a.py', 'b.py'),
        options=('x=1',),
        stream_options=(('y.1=2',), ('y.0=2', 'z=3')),
        weights=(1.0, 1.0),
    )
    assert row.runs == [('a.py', ('x=1', 'y.1=2')), ('b.py', ('x=1', 'y.0=2', 'z=3'))]
    trainings = [line for line in row.commands if ' train ' in line]
    assert [line.split(' --')[-1] for line in trainings] == [
        'cfg-options x=1 y.1=2',
        'cfg-options x=1 y.0=2 z=3',
    ]
    (cell,) = re.findall(r'`fuse_scores .*(?= \|$)', markdown_table([row]))
    assert cell == '`fuse_scores --weights 1 1` `x=1` <br>`y.1=2` <br>`y.0=2` `z=3`'


def test_runs_are_distinct_and_complete():
    runs = distinct_runs(ROWS)
    assert len(set(runs)) == len(runs)
    wanted = {run for row in ROWS for run in row.runs}
    assert {(path.name, options) for path, options in runs} == wanted


def test_options_are_read_as_by_the_tools():
    row = next(row for row in ROWS if row.key == 'temporal_lstm')
    path = config_path(row, row.configs[0])
    options = ('model.cls_head.num_steps=7', 'model.cls_head.topk=(1,2)', 'a.b=text')
    cfg = load_config(path, options)
    assert cfg.model.cls_head.num_steps == 7
    assert cfg.model.cls_head.topk == (1, 2)
    assert cfg.a.b == 'text'
    assert load_config(path).model.cls_head.num_steps == 30


def write_rows(folder, **changes):
    entry = dict(
        table=1, row='r', dataset='d', figure=50, ours=None, configs=['a.py'], **changes
    )
    content = dict(key='k', paper='p', metric='m', rows=[entry])
    (folder / 'rows.yml').write_text(yaml.safe_dump(content))


def test_reading_a_file(tmp_path):
    write_rows(tmp_path, options=['x=1'])
    (tmp_path / 'a.py').touch()
    assert load_rows(tmp_path) == [make_row(table=1, figure=50, options=('x=1',))]


@pytest.mark.parametrize('changes', [dict(tabel=3), dict(figures=1)])
def test_unknown_keys_are_refused(tmp_path, changes):
    write_rows(tmp_path, **changes)
    (tmp_path / 'a.py').touch()
    with pytest.raises(
        ValueError, match=rf"rows\.yml: row 'r': .*{next(iter(changes))}"
    ):
        load_rows(tmp_path)


def test_stream_options_are_one_per_config(tmp_path):
    write_rows(tmp_path, stream_options=[['x=1'], ['x=2']])
    (tmp_path / 'a.py').touch()
    with pytest.raises(
        ValueError, match=r"row 'r': expected stream_options for each of 1 .* got 2"
    ):
        load_rows(tmp_path)


def test_missing_config_is_refused(tmp_path):
    write_rows(tmp_path)
    with pytest.raises(
        ValueError, match=r"rows\.yml: row 'r': expected a config file .* got 'a\.py'"
    ):
        load_rows(tmp_path)


def test_missing_shared_key_is_refused(tmp_path):
    (tmp_path / 'rows.yml').write_text('key: k\nrows: []\n')
    with pytest.raises(ValueError, match=r"rows\.yml: expected the key 'paper'"):
        load_rows(tmp_path)


def test_table_lists_every_row():
    rows = [make_row(ours=51.26), make_row(row='s', figure=84.88, weights=(1.0, 2.0))]
    rows.append(make_row(figure=None))
    lines = markdown_table(rows).splitlines()
    assert len(lines) == 5
    assert '| d | no figure | not run |' in lines[4]
    assert '| 50.0 | 51.3 | [a.py](a.py) |' in lines[2]
    assert (
        '| 84.88 | not run | [a.py](a.py) | `fuse_scores --weights 1 2` |' in lines[3]
    )
    assert {line.count('|') for line in lines} == {8}


def test_table_replaces_what_stands_between_the_markers():
    readme = f'before\n{BEGIN}\nold\n{END}\nafter\n'
    once = with_table(readme, [make_row()], 'k')
    assert once.startswith(f'before\n{BEGIN}\n| table |')
    assert once.endswith(f'{END}\nafter\n')
    assert 'old' not in once
    assert with_table(once, [make_row()], 'k') == once


def test_table_of_a_paper_holds_its_baselines():
    rows = [
        make_row(row='own'),
        make_row(key='base', table='k 1', row='baseline'),
        make_row(key='base', table='other 1', row='of another paper'),
        make_row(key='base', table='k 0', row='first'),
    ]
    assert [row.row for row in rows_of_paper(rows, 'k')] == ['first', 'baseline', 'own']
    lines = markdown_table(rows_of_paper(rows, 'k'), 'k').splitlines()[2:]
    assert lines[1].startswith('| 1 | baseline | ')
    assert '[a.py](../base/a.py)' in lines[1]
    assert '[a.py](a.py)' in lines[2]
    assert len(rows_of_paper(rows, 'base')) == 3


@pytest.mark.parametrize('readme', ['', BEGIN, f'{END} {BEGIN}'])
def test_missing_markers(readme):
    with pytest.raises(ValueError, match='expected the markers'):
        with_table(readme, [make_row()], 'k')
