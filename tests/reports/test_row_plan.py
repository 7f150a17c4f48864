"""Plans of rows: what runs, on which splits, with which batch, and each once."""

import json
import re
import shlex
from pathlib import Path

import pytest
from paper_rows import make_row

from mmattn.reports.row_batches import batch_of, fit_batch, fit_plan
from mmattn.reports.row_commands import process_words, row_commands, shell_line
from mmattn.reports.row_costs import FILE
from mmattn.reports.row_plan import Step, plan_rows
from mmattn.reports.rows import Features, find_rows, load_config, load_rows
from mmattn.utils.configs import configs_root, find_config

ROWS = load_rows()
PLAN = plan_rows(ROWS, 'out')
TOOLS = {path.stem for path in Path('tools').resolve().rglob('*.py')}
CHECKPOINT = re.compile(r'\$\(cat (\S+)/last_checkpoint\)')
CONFIGS = {path.name for path in configs_root().rglob('*.py')}
MEAN = 'top-1, mean over the 3 splits'


def names(plan, kind):
    return [step.name for step in plan.steps.values() if step.kind == kind]


def plan_of(*patterns, out='out'):
    return plan_rows(find_rows(ROWS, list(patterns)), out)


def test_a_mean_over_splits_is_trained_and_tested_on_each():
    plan = plan_rows([make_row(metric=MEAN)])
    assert names(plan, 'train') == [f'train/a_8xb8-x_split{n}' for n in (1, 2, 3)]
    (goal,) = plan.goals
    assert goal.steps == tuple(f'test/a_8xb8-x_split{n}' for n in (1, 2, 3))
    assert goal.metric == 'acc/top1'


def test_options_of_tests_share_the_training():
    """Figure 3 (b): seven numbers of frames in testing, two trainings."""
    plan = plan_of('pyramid-fig-3-b-*')
    assert len(names(plan, 'train')) == 2
    assert len(names(plan, 'test')) == 14
    assert len(names(plan, 'fuse')) == 7
    both = plan_of('pyramid-2-b-ours-all-losses-*')  # mAP and wAP
    assert (len(names(both, 'train')), len(names(both, 'test'))) == (1, 1)
    assert len(both.goals) == 2


def test_options_of_trainings_do_not():
    plan = plan_of('pyramid-fig-3-a-*')  # K in training
    assert len(names(plan, 'train')) == 4


def test_runs_with_other_options_never_share_a_folder():
    """Of all rows: a folder's name says everything that sets its run apart."""
    seen = {}
    for step in PLAN.steps.values():
        apart = (step.kind, step.config, step.split, step.options, step.words)
        apart += (step.needs,) if step.kind == 'fuse' else ()
        assert seen.setdefault(apart, step.name) == step.name
    assert len(seen) == len(PLAN.steps)


def test_two_steps_of_one_name_that_differ_are_refused(monkeypatch):
    monkeypatch.setattr('mmattn.reports.row_plan._hash', lambda words: 'same')
    rows = [make_row(options=('x=1',)), make_row(row='s', options=('x=2',))]
    with pytest.raises(ValueError, match=r'expected one step named train/.*got two'):
        plan_rows(rows)


def test_every_step_comes_behind_those_it_needs():
    done = set()
    for step in PLAN.steps.values():
        assert done >= set(step.needs), step.name
        done.add(step.name)
    assert all(done >= set(goal.steps) for goal in PLAN.goals)


def test_means_of_the_paper_are_of_three_splits():
    """The text says over which splits a figure is a mean; so say the plan's goals."""
    for goal in PLAN.goals:
        expected = 3 if 'mean over the 3 splits' in goal.row.metric else 1
        assert len(set(goal.steps)) == expected, goal.row.id
    assert sum(len(goal.steps) == 3 for goal in PLAN.goals) >= 38


@pytest.mark.parametrize(
    'batch, samples, processes, expected',
    [
        (64, 8, 8, (8, 8, 1)),
        (64, 8, 1, (1, 8, 8)),
        (64, 8, 3, (2, 8, 4)),
        (64, 5, 16, (16, 4, 1)),
        (15, 15, 4, (3, 5, 1)),
        (256, 32, 100, (64, 4, 1)),
        (64, 64, 1, (1, 64, 1)),
    ],
)
def test_batches(batch, samples, processes, expected):
    fit = fit_batch(batch, samples, processes)
    assert (fit.processes, fit.samples, fit.steps) == expected
    assert fit.processes * fit.samples * fit.steps == batch


def counts(cfg):
    """Everything of a schedule that is counted in iterations."""
    if 'max_iters' not in cfg.train_cfg:
        return []
    (schedule,) = cfg.param_scheduler
    return [
        cfg.train_cfg.max_iters,
        cfg.train_cfg.val_interval,
        schedule.end,
        *schedule.milestones,
        cfg.default_hooks.checkpoint.interval,
    ]


@pytest.mark.parametrize('processes, samples', [(1, None), (3, 4)])
def test_every_training_has_the_batch_and_schedule_of_the_paper(processes, samples):
    plan = fit_plan(PLAN, processes=processes, samples=samples)
    trainings = {
        (step.config, step.fit_options): step
        for step in plan.steps.values()
        if step.kind == 'train'
    }
    assert len(trainings) >= 40
    for step in trainings.values():
        paper = load_config(find_config(step.config))
        cfg = load_config(find_config(step.config), step.fit_options)
        fit = step.fit
        if any('batch_size' in option for option in step.options):
            continue  # a test of its own
        assert cfg.train_dataloader.batch_size == fit.samples
        assert cfg.optim_wrapper.get('accumulative_counts', 1) == fit.steps
        assert fit.processes * fit.samples * fit.steps == batch_of(step.config)[0]
        assert paper.auto_scale_lr.base_batch_size == batch_of(step.config)[0]
        assert counts(cfg) == [fit.steps * number for number in counts(paper)]
        assert cfg.optim_wrapper.optimizer == paper.optim_wrapper.optimizer
        assert cfg.train_cfg.get('max_epochs') == paper.train_cfg.get('max_epochs')


def test_a_row_may_have_a_batch_of_its_own():
    plan = fit_plan(plan_of('convlstm-*-batch-of-20-*'), processes=4)
    (step,) = (step for step in plan.steps.values() if step.kind == 'train')
    assert (step.fit.processes, step.fit.samples, step.fit.steps) == (4, 5, 1)
    assert step.options == ('train_dataloader.batch_size=20',)
    assert step.fit_options == ('train_dataloader.batch_size=5',)


def test_a_config_without_a_batch_in_its_name_is_refused():
    with pytest.raises(ValueError, match=r'name has the batch, .* got model\.py'):
        batch_of('model.py')


def test_commands_of_all_rows_are_complete():
    """Tools and configs that exist, and nothing read before it is written."""
    plan = fit_plan(PLAN, processes=2)
    for goal in plan.goals:
        written = set()
        for command in row_commands(goal, plan):
            words = shlex.split(command)
            assert words[0] == 'mim'
            assert words[2] == 'mmattn'
            verb = words[3] if words[1] == 'run' else words[1]
            assert verb in TOOLS
            for word in words:
                assert not word.endswith('.py') or word in CONFIGS, word
                if word.startswith('out/') and verb in (
                    'fuse_scores',
                    'mean_over_splits',
                ):
                    known = written | {'out/' + word.split('/')[1]}
                    assert word in known or word == words[words.index('--json') + 1]
            for folder in CHECKPOINT.findall(command):
                assert folder in written, command
            for option in ('--work-dir', '--dump', '--json'):
                if option in words:
                    path = Path(words[words.index(option) + 1])
                    written |= {str(path), str(path.parent)}
            if verb == 'extract_features':
                written.add(words[5])
        last = row_commands(goal, plan)[-1]
        assert (' mean_over_splits ' in last) == (len(goal.steps) == 3)


def test_features_that_are_trained_on_are_extracted_before(monkeypatch):
    """What extract_features writes is the folder that the configs read."""
    for split in (1, 2, 3):
        monkeypatch.setenv('MMATTN_SPLIT', str(split))
        for step in PLAN.steps.values():
            if step.kind != 'train' or step.split != split:
                continue
            dataset = load_config(find_config(step.config)).train_dataloader.dataset
            made = [PLAN.steps[name].words[0] for name in step.needs]
            if dataset.type == 'mmattn.FeatureDataset':
                assert made == [dataset.data_prefix.feature]


def test_commands_of_a_fused_row():
    row = make_row(
        configs=('a_8xb8-x.py', 'b_8xb8-x.py'),
        options=('x=1',),
        weights=(1.0, 2.0),
        prepare=('first --of y',),
    )
    plan = plan_rows([row], 'out', device='cpu')
    a, b = (f'{stem}_8xb8-x_split1_9e95a87e' for stem in 'ab')
    fused = plan.goals[0].steps[0]
    assert row_commands(plan.goals[0], plan) == [
        'mim run mmattn first --of y --split 1',
        f'mim train mmattn a_8xb8-x.py --split 1 --work-dir out/train/{a} '
        '--cfg-options x=1',
        'mim test mmattn a_8xb8-x.py --checkpoint '
        f'"$(cat out/train/{a}/last_checkpoint)" --split 1 '
        f'--work-dir out/test/{a} --dump out/test/{a}/scores.pkl '
        '--cfg-options x=1',
        f'mim train mmattn b_8xb8-x.py --split 1 --work-dir out/train/{b} '
        '--cfg-options x=1',
        'mim test mmattn b_8xb8-x.py --checkpoint '
        f'"$(cat out/train/{b}/last_checkpoint)" --split 1 '
        f'--work-dir out/test/{b} --dump out/test/{b}/scores.pkl '
        '--cfg-options x=1',
        f'mim run mmattn fuse_scores out/test/{a}/scores.pkl out/test/{b}/scores.pkl '
        f'--weights 1 2 --json out/{fused}/report.json',
    ]


def test_commands_of_features():
    made = Features('net_8xb8-x.py', 'read_8xb8-x.py', 'data/f/split{split}')
    row = make_row(features=(made,), metric=MEAN)
    plan = plan_rows([row], 'out')
    line = shell_line(plan.steps['features/read_8xb8-x_split2'], plan)
    assert line == (
        'mim run mmattn extract_features read_8xb8-x.py '
        '"$(cat out/train/net_8xb8-x_split2/last_checkpoint)" data/f/split2 --split 2 '
        '--device cuda:0'
    )
    assert plan.steps['train/a_8xb8-x_split2'].needs == ('features/read_8xb8-x_split2',)


def test_processes_are_started_by_torchrun_and_by_mim():
    row = find_rows(ROWS, ['stbta-2-bninception-ucf101'])[0]
    plan = fit_plan(plan_rows([row], 'out'), processes=4)
    train, test = plan.steps.values()
    assert ' --launcher pytorch --gpus 4 ' in shell_line(train, plan)
    assert 'optim_wrapper.accumulative_counts=2' in shell_line(train, plan)
    words = process_words(test, plan, 'x.pth')
    assert words[1:5] == [
        '-m',
        'torch.distributed.run',
        '--standalone',
        '--nproc_per_node=4',
    ]
    assert Path(words[5]).name == 'test.py'
    assert words[6:8] == [str(find_config(row.configs[0])), 'x.pth']
    assert words[-2:] == ['--launcher', 'pytorch']


def test_kind_of_a_step():
    assert Step('train/a').kind == 'train'


def test_the_cost_of_every_config_is_counted():
    """After a new row: python tools/paper_rows.py --count-costs."""
    counted = json.loads(FILE.read_text())
    assert {Path(x.config).stem for x in PLAN.steps.values() if x.config} == set(
        counted
    )
