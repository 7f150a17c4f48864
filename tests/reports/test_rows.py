"""The rows of the papers' tables as data."""

import re

import pytest
import yaml
from paper_rows import make_row

from mmattn.reports.claims import with_part
from mmattn.reports.row_tables import rows_page, rows_table
from mmattn.reports.rows import (
    Measurement,
    config_path,
    distinct_runs,
    find_rows,
    load_config,
    load_rows,
    rows_of_paper,
)

ROWS = load_rows()
OURS = Measurement(51.26, (50.0, 52.52), '2026-01-02', {'torch': '2.13.0'}, '4 x X')


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
    rows = [row for row in ROWS if row.key == 'convlstm']
    assert {row.metric for row in rows} == {'frame-level accuracy'}
    both = [row for row in rows if row.figure is not None]
    assert [row.figure for row in both] == [82.0, 82.0]  # its two readings
    readings = [load_config(config_path(r, r.configs[0]), r.options) for r in both]
    found = [cfg.model.cls_head.recurrence.attention for cfg in readings]
    assert found == ['gap_dense', 'videolstm']


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


def test_streams_have_options_of_their_own():
    row = make_row(
        configs=('a.py', 'b.py'),
        options=('x=1',),
        stream_options=(('y.1=2',), ('y.0=2', 'z=3')),
        weights=(1.0, 1.0),
    )
    assert row.runs == [('a.py', ('x=1', 'y.1=2')), ('b.py', ('x=1', 'y.0=2', 'z=3'))]
    (cell,) = re.findall(r'`fuse_scores .*(?= \|$)', rows_table([row]))
    assert cell == '`fuse_scores --weights 1 1` `x=1` <br>`y.1=2` <br>`y.0=2` `z=3`'


def test_runs_are_distinct_and_complete():
    runs = distinct_runs(ROWS)
    assert len(set(runs)) == len(runs)
    wanted = {run for row in ROWS for run in row.runs}
    assert {(path.name, options) for path, options in runs} == wanted


def test_options_are_read_as_by_the_tools():
    row = next(row for row in ROWS if row.key == 'temporal_lstm')
    path = config_path(row, row.configs[0])
    options = (
        'model.cls_head.lstm.num_steps=7',
        'model.cls_head.topk=(1,2)',
        'a.b=text',
    )
    cfg = load_config(path, options)
    assert cfg.model.cls_head.lstm.num_steps == 7
    assert cfg.model.cls_head.topk == (1, 2)
    assert cfg.a.b == 'text'
    assert load_config(path).model.cls_head.lstm.num_steps == 30


def write_rows(folder, **changes):
    entry = dict(table='1', row='r', dataset='d', figure=50, configs=['a.py'])
    entry |= changes
    content = dict(key='k', paper='p', metric='top-1, split 1', rows=[entry])
    (folder / 'rows.yml').write_text(yaml.safe_dump(content))


def test_reading_a_file(tmp_path):
    write_rows(tmp_path, options=['x=1'])
    (tmp_path / 'a.py').touch()
    assert load_rows(tmp_path) == [make_row(configs=('a.py',), options=('x=1',))]


@pytest.mark.parametrize(
    'changes, message',
    [
        (dict(tabel=3), 'tabel'),
        (dict(figures=1), 'figures'),
        (
            dict(stream_options=[['x=1'], ['x=2']]),
            'expected stream_options for each of 1 .* got 2',
        ),
        (dict(configs=['b.py']), r"expected a config file .* got 'b\.py'"),
    ],
)
def test_wrong_rows_are_refused(tmp_path, changes, message):
    write_rows(tmp_path, **changes)
    (tmp_path / 'a.py').touch()
    with pytest.raises(ValueError, match=rf"rows\.yml: row 'r': .*{message}"):
        load_rows(tmp_path)


def test_missing_shared_key_is_refused(tmp_path):
    (tmp_path / 'rows.yml').write_text('key: k\nrows: []\n')
    with pytest.raises(ValueError, match=r"rows\.yml: expected the key 'paper'"):
        load_rows(tmp_path)


def test_table_lists_every_row():
    rows = [make_row(ours=OURS), make_row(row='s', figure=84.88, weights=(1.0, 2.0))]
    rows.append(make_row(figure=None))
    lines = rows_table(rows).splitlines()
    assert len(lines) == 5
    assert '| d | no figure | not run |' in lines[4]
    assert '| 50.0 | 51.3 | [a_8xb8-x.py](a_8xb8-x.py) |' in lines[2]
    assert (
        '| 84.88 | not run | [a_8xb8-x.py](a_8xb8-x.py) | `fuse_scores --weights 1 2` |'
        in lines[3]
    )
    assert {line.count('|') for line in lines} == {8}


def test_table_replaces_what_stands_between_the_markers():
    begin, end = '<!-- rows: begin -->', '<!-- rows: end -->'
    table = rows_table([make_row()], 'k')
    once = with_part(f'before\n{begin}\nold\n{end}\nafter\n', 'rows', table)
    assert once == f'before\n{begin}\n{table}\n{end}\nafter\n'
    assert with_part(once, 'rows', table) == once
    for readme in ('', begin, f'{end} {begin}'):
        with pytest.raises(ValueError, match='expected <!-- rows: begin -->'):
            with_part(readme, 'rows', table)


def test_table_of_a_paper_holds_its_baselines():
    rows = [
        make_row(row='own'),
        make_row(key='base', table='k 1', row='baseline'),
        make_row(key='base', table='other 1', row='of another paper'),
        make_row(key='base', table='k 0', row='first'),
    ]
    assert [row.row for row in rows_of_paper(rows, 'k')] == ['first', 'baseline', 'own']
    lines = rows_table(rows_of_paper(rows, 'k'), 'k').splitlines()[2:]
    assert lines[1].startswith('| 1 | baseline | ')
    assert '[a_8xb8-x.py](../base/a_8xb8-x.py)' in lines[1]
    assert '[a_8xb8-x.py](a_8xb8-x.py)' in lines[2]
    assert len(rows_of_paper(rows, 'base')) == 3


def test_what_rows_gave_is_read_from_the_file_beside_them(tmp_path):
    write_rows(tmp_path)
    (tmp_path / 'a.py').touch()
    entry = dict(
        figure=51.26,
        splits=[50.0, 52.52],
        date='2026-01-02',
        versions={'torch': '2.13.0'},
        hardware='4 x X',
    )
    (tmp_path / 'ours.yml').write_text(yaml.safe_dump({'k-1-r-d': entry}))
    (row,) = load_rows(tmp_path)
    assert row.ours == OURS
    assert row.measured == '51.3'
    (tmp_path / 'ours.yml').write_text(yaml.safe_dump({'k-1-other-d': entry}))
    with pytest.raises(
        ValueError, match=r"ours\.yml: expected rows of .*'k-1-other-d'"
    ):
        load_rows(tmp_path)
    del entry['date']
    (tmp_path / 'ours.yml').write_text(yaml.safe_dump({'k-1-r-d': entry}))
    with pytest.raises(ValueError, match=r"k-1-r-d: expected a measurement, .*'date'"):
        load_rows(tmp_path)


def test_a_metric_that_is_not_known_is_refused(tmp_path):
    write_rows(tmp_path, metric='top-1, split 4')
    (tmp_path / 'a.py').touch()
    with pytest.raises(
        ValueError, match=r"expected a metric of .*got 'top-1, split 4'"
    ):
        load_rows(tmp_path)


def test_several_configs_without_weights_are_refused(tmp_path):
    write_rows(tmp_path, configs=['a.py', 'a.py'])
    (tmp_path / 'a.py').touch()
    with pytest.raises(ValueError, match='expected weights of 2 configs, got none'):
        load_rows(tmp_path)


def test_two_rows_of_one_name_are_refused(tmp_path):
    write_rows(tmp_path)
    (tmp_path / 'a.py').touch()
    path = tmp_path / 'rows.yml'
    content = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({**content, 'rows': content['rows'] * 2}))
    with pytest.raises(ValueError, match='got two k-1-r-d'):
        load_rows(tmp_path)


def test_rows_are_found_by_name_and_pattern():
    rows = [make_row(row='a'), make_row(row='b'), make_row(row='c (x), y')]
    assert [row.id for row in rows] == ['k-1-a-d', 'k-1-b-d', 'k-1-c-x-y-d']
    assert find_rows(rows, ['k-1-c*', 'k-1-a-d']) == [rows[0], rows[2]]
    with pytest.raises(ValueError, match=r"such as k-1-a-d, k-1-.* got 'k-1-a'"):
        find_rows(rows, ['k-1-a'])


def test_page_says_what_was_run_and_with_what():
    rows = [make_row(ours=OURS), make_row(row='s', note='read so')]
    page = rows_page(rows)
    assert 'There are 2; 1 of them has been run here.' in page
    assert (
        '| 50.0 | 51.3 (splits: 50.0, 52.5); 2026-01-02, 4 x X; torch 2.13.0 | '
        '`mmattn rows --run k-1-r-d` |' in page
    )
    assert '| 1 | s (read so) | d | top-1, split 1 | 50.0 | not run | `mmattn' in page
