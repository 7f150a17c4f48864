"""Plans of rows run: resumed, kept apart, averaged, and recorded as ours."""

import json
import pickle
import subprocess
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import yaml
from forked import start
from mmengine.config import Config

from mmattn.reports import row_run
from mmattn.reports.row_batches import fit_plan
from mmattn.reports.row_estimates import plan_text
from mmattn.reports.row_plan import plan_rows
from mmattn.reports.row_records import record_results
from mmattn.reports.row_run import RECORD, RESULTS, run_plan
from mmattn.reports.row_tiny import shrink_plan
from mmattn.reports.rows import find_rows, load_ours, load_rows

ROWS = load_rows()
FUSED = 'temporal_lstm-1-two-stream-attention-ucf101'
SINGLE = 'temporal_lstm-1-appearance-stream-attention-ucf101'


def plan_of(*names, out, processes=1):
    plan = plan_rows(find_rows(ROWS, list(names)), out, device='cpu')
    return fit_plan(plan, processes=processes)


class Tools:
    """In place of processes: writes what the tools would, and counts its calls."""

    def __init__(self):
        self.calls, self.fails = [], lambda words: False
        self.right = {1: (8, 4), 2: (6, 6), 3: (4, 8)}  # of 10 videos, RGB and flow

    def __call__(self, words, **options):
        assert options['env']['CUDA_VISIBLE_DEVICES'] == ''
        tool = next(Path(word).name for word in words if word.endswith('.py'))
        self.calls.append((tool, words))
        if self.fails(words):
            return subprocess.CompletedProcess(words, 1)
        if tool in ('train.py', 'test.py'):
            folder = Path(words[words.index('--work-dir') + 1])
        if tool == 'train.py':
            (folder / 'last_checkpoint').write_text(f'{folder}/epoch_50.pth')
        if tool == 'test.py':
            assert words[3].endswith('epoch_50.pth')
            split = int(words[words.index('--split') + 1])
            right = self.right[split]['flow' in folder.name]
            self.write_test(folder, Path(words[words.index('--dump') + 1]), right)
        return subprocess.CompletedProcess(words, 0)

    def write_test(self, folder, dump, right):
        (folder / 'now').mkdir()
        (folder / 'now' / 'now.json').write_text(
            json.dumps({'acc/top1': right / 10, 'data_time': 1.0})
        )
        # The streams are right on different videos, RGB with more weight in its scores.
        first = 'flow' not in folder.name
        samples = []
        for i in range(10):
            hit = i < right if first else i >= 10 - right
            scores = np.array([0.1, 0.9] if hit else [0.6, 0.4])
            samples.append(dict(video_id=f'v{i}', pred_score=scores, gt_label=[1]))
        dump.write_bytes(pickle.dumps(samples))


@pytest.fixture
def tools(monkeypatch):
    found = Tools()
    monkeypatch.setattr(row_run, 'subprocess', SimpleNamespace(run=found))
    return found


def results(out):
    return yaml.safe_load((out / RESULTS).read_text())


def test_mean_over_splits_and_its_record(tools, tmp_path):
    plan = plan_of(SINGLE, out=tmp_path)
    assert run_plan(plan) == []
    # The ConvNet, its features, the recurrent part and its test, on each split.
    assert [tool for tool, _ in tools.calls] == [
        'train.py',
        'extract_features.py',
        'train.py',
        'test.py',
    ] * 3
    found = results(tmp_path)[SINGLE]
    assert found['splits'] == pytest.approx([80, 60, 40])
    assert found['figure'] == pytest.approx(60)
    assert found['hardware'].startswith('1 x ')
    assert found['versions']['torch'] == torch.__version__
    assert found['scale'] == 'paper'
    assert found['date'][:2] == '20'


def test_streams_are_fused_by_the_weights_of_the_paper(tools, tmp_path):
    """Motion counts twice: where one stream is right, it is the motion stream's."""
    run_plan(plan_of(FUSED, out=tmp_path))
    # Split 1: RGB right on 0-7, flow on 6-9. (.1 + 2 * .6, .9 + 2 * .4) = 1.3 < 1.7:
    # right; (.6 + .2, .4 + 1.8): right. So all of 0-9 are right.
    # Split 2: RGB 0-5, flow 4-9: all. Split 3: RGB 0-3, flow 2-9: all.
    assert results(tmp_path)[FUSED]['splits'] == [100.0, 100.0, 100.0]
    tools.right = {1: (5, 3), 2: (5, 3), 3: (5, 3)}
    other = tmp_path / 'other'
    run_plan(plan_of(FUSED, out=other))  # videos 5 and 6: neither
    assert results(other)[FUSED]['splits'] == [80.0, 80.0, 80.0]


def test_rows_share_what_is_done(tools, tmp_path):
    run_plan(plan_of(SINGLE, out=tmp_path))
    done = len(tools.calls)
    run_plan(plan_of(SINGLE, out=tmp_path))
    assert len(tools.calls) == done
    run_plan(plan_of(FUSED, out=tmp_path))
    again = [words for tool, words in tools.calls[done:] if tool != 'fuse_scores.py']
    assert again
    assert all('flow' in ' '.join(words) for words in again)
    assert set(results(tmp_path)) == {SINGLE, FUSED}


def test_a_stopped_training_is_resumed(tools, tmp_path):
    plan = plan_of(SINGLE, out=tmp_path)
    tools.fails = lambda words: '_split2' in ' '.join(words)
    failed = run_plan(plan)
    assert len(failed) == 4
    assert failed[0].startswith('train/temporal_lstm-convnet')
    assert 'expected to end with 0, got 1: mim train mmattn ' in failed[0]
    assert all(': left out, for ' in sentence for sentence in failed[1:])
    assert not (tmp_path / RESULTS).exists()
    (name,) = (n for n in plan.steps if 'convnet' in n and n.endswith('split2'))
    (tmp_path / name / 'last_checkpoint').write_text('x/iter_1000.pth')
    tools.fails, tools.calls = lambda words: False, []
    assert run_plan(plan) == []
    assert '--resume' in tools.calls[0][1]
    assert all('--resume' not in words for _, words in tools.calls[1:])
    assert len(tools.calls) == 4
    assert results(tmp_path)[SINGLE]['figure'] == pytest.approx(60)


def test_a_stopped_training_is_not_gone_on_with_on_another_number_of_processes(
    tools, tmp_path
):
    tools.fails = lambda words: True
    run_plan(plan_of(SINGLE, out=tmp_path))
    with pytest.raises(
        ValueError, match=r'expected a run with fit \[2, 32, 4\], got \[1, 32, 8\]'
    ):
        run_plan(plan_of(SINGLE, out=tmp_path, processes=2))


def test_a_finished_training_counts_on_any_number_of_processes(tools, tmp_path):
    run_plan(plan_of(SINGLE, out=tmp_path))
    done = len(tools.calls)
    run_plan(plan_of(SINGLE, out=tmp_path, processes=2))
    assert len(tools.calls) == done


def test_a_folder_of_a_run_made_otherwise_is_refused(tools, tmp_path, monkeypatch):
    plan = plan_of(SINGLE, out=tmp_path)
    run_plan(plan)
    name = plan.goals[0].steps[1]
    record = tmp_path / name / RECORD
    content = json.loads(record.read_text())
    record.write_text(json.dumps(content | dict(options=['x=1'])))
    with pytest.raises(ValueError, match=r"step\.json: .* options \[\], got \['x=1'\]"):
        run_plan(plan)
    record.write_text(json.dumps(content | dict(config='0' * 40)))
    with pytest.raises(ValueError, match=r'expected a run with config .*--out'):
        run_plan(plan)


def test_a_test_without_the_rows_metric_is_refused(tools, tmp_path, monkeypatch):
    plan = plan_of(SINGLE, out=tmp_path)
    monkeypatch.setattr(row_run, '_figures', lambda step, plan: {'acc/mean1': 0.5})
    with pytest.raises(ValueError, match=r"metric acc/top1, got \['acc/mean1'\]"):
        run_plan(plan)


def test_what_a_step_took_stands_in_the_plan(tools, tmp_path):
    plan = plan_of(SINGLE, out=tmp_path)
    before = plan_text(plan)
    assert before.count(': about ') == 12
    run_plan(plan)
    after = plan_text(plan)
    assert after.count(': done, took ') == 12
    assert 'About 0 hours are left' in after


def test_results_are_recorded_as_ours(tools, tmp_path, monkeypatch):
    configs = tmp_path / 'configs' / 'temporal_lstm'
    configs.mkdir(parents=True)
    (configs / ROWS[0].configs[0]).touch()
    monkeypatch.setattr(
        'mmattn.reports.row_records.config_path', lambda row, config: configs / config
    )
    for name in (SINGLE, FUSED):  # of two runs
        run_plan(plan_of(name, out=tmp_path / name))
        (path,) = record_results(ROWS, tmp_path / name)
    assert path == configs / 'ours.yml'
    ours = load_ours(configs)
    assert set(ours) == {SINGLE, FUSED}
    assert ours[SINGLE].splits == pytest.approx((80, 60, 40))


def test_tiny_results_are_never_ours(tools, tmp_path):
    run_plan(plan_of(SINGLE, out=tmp_path), scale='tiny')
    with pytest.raises(ValueError, match="of the paper's scale, got tiny ones"):
        record_results(ROWS, tmp_path)


def test_results_of_rows_that_are_gone_are_refused(tools, tmp_path):
    run_plan(plan_of(SINGLE, out=tmp_path))
    with pytest.raises(ValueError, match=f"names of rows, got '{SINGLE}'"):
        record_results([row for row in ROWS if row.id != SINGLE], tmp_path)


def run_in_fork(words, env=None, check=False):
    """Run a tool's words in a process that has imported everything."""
    return start(words[1:], env=env)


KINDS = {
    'splits, fusion and their mean': ['stbta-6-two-stream-stbta-net-hmdb51'],
    'features': ['temporal_lstm-1-motion-stream-attention-hmdb51'],
    'one training, two tests': [
        'pyramid-1-e-inception-resnet-v2-rgb-3-scales-ucf101',
        'pyramid-fig-3-b-k-5-in-testing-ucf101',
    ],
    'two figures of one test': ['pyramid-2-b-ours-all-losses-*'],
    'frames': ['convlstm-*-our-model-*'],
}


@pytest.mark.slow
@pytest.mark.parametrize('names', KINDS.values(), ids=KINDS)
def test_one_row_of_each_kind_from_data_to_figure(names, tmp_path, monkeypatch):
    """The plan's commands as they are, on tiny networks and data."""
    monkeypatch.setattr(row_run, 'subprocess', SimpleNamespace(run=run_in_fork))
    rows = find_rows(ROWS, names)
    plan = shrink_plan(plan_rows(rows, tmp_path, device='cpu'))
    assert run_plan(plan, scale='tiny') == []
    check_results(plan, tmp_path, rows)


def check_results(plan, out, rows):
    found = results(out)
    assert set(found) == {row.id for row in rows}
    for row in rows:
        assert len(found[row.id]['splits']) == len(row.splits)
        mean = sum(found[row.id]['splits']) / len(row.splits)
        assert found[row.id]['figure'] == pytest.approx(mean, abs=1e-3)
        assert 0 <= found[row.id]['figure'] <= 100
        assert found[row.id]['scale'] == 'tiny'
    for step in plan.steps.values():
        if step.kind == 'train':
            assert step.fit.steps == 2
            log = next((out / step.name).glob('*.py')).read_text()
            assert 'accumulative_counts=2' in log
    for goal in plan.goals:  # videos of its own on each split
        if len(goal.steps) > 1 and goal.steps[0].startswith('test/'):
            sizes = {
                len(pickle.loads((out / name / 'scores.pkl').read_bytes()))
                for name in goal.steps
            }
            assert sizes == {5, 6, 7}


@pytest.mark.slow
@pytest.mark.det
def test_a_row_of_ava_by_processes_of_their_own(tmp_path):
    rows = find_rows(ROWS, ['slowfast_attn-1-ours-roialign-ava-v2-1'])
    plan = shrink_plan(plan_rows(rows, tmp_path, device='cpu'))
    assert run_plan(plan, scale='tiny') == []
    check_results(plan, tmp_path, rows)


def test_tiny_plan_reads_tiny_data_and_made_features(tmp_path):
    plan = shrink_plan(plan_rows(find_rows(ROWS, [SINGLE]), tmp_path, device='cpu'))
    training = next(x for x in plan.steps.values() if 'fc6' in x.name)
    for loader in ('train', 'val', 'test'):
        dataset = Config.fromfile(training.config)[f'{loader}_dataloader'].dataset
        assert dataset.data_prefix.feature.startswith(f'{tmp_path}/features/')
        assert dataset.ann_file.startswith(f'{tmp_path}/features/')
