"""Repairs of the installed stack."""

import ast
import importlib.util
import pickle
import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.logging import HistoryBuffer, MessageHub
from mmengine.optim.scheduler import OneCycleLR
from mmengine.runner import Runner

from mmattn import compat
from mmattn.testing import build_runner

NO_MMDET = importlib.util.find_spec('mmdet') is None


def run_python(code: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', code], capture_output=True, text=True
    )


class Malicious:
    """Executes code when it is unpickled."""

    def __reduce__(self):
        return eval, ("open('executed', 'w').close()",)


class GetattrGadget:
    """Asks the allowed getattr for something else than a log buffer's method."""

    def __reduce__(self):
        return getattr, (HistoryBuffer, '__init__')


def test_mmaction_models_import_after_mmattn():
    result = run_python('import mmattn, mmaction.models as m; print(m.DRN.__name__)')
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == 'DRN'


def test_missing_drn_says_so_on_use():
    import mmaction.models

    with pytest.raises(ImportError, match='2714'):
        mmaction.models.DRN()


def test_drn_is_left_alone_where_it_exists(tmp_path, monkeypatch):
    package = tmp_path / 'mmaction'
    (package / 'models' / 'localizers' / 'drn').mkdir(parents=True)
    (package / '__init__.py').touch()
    spec = importlib.util.spec_from_file_location(
        'mmaction',
        package / '__init__.py',
        submodule_search_locations=[str(package)],
    )
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name: spec)
    name = 'mmaction.models.localizers.drn'
    monkeypatch.delitem(sys.modules, name, raising=False)
    compat.provide_missing_drn()
    assert name not in sys.modules


def test_mmengine_checkpoint_loads_with_weights_only(tmp_path):
    buffer = HistoryBuffer([1.0, 3.0], [1, 1])
    content = dict(
        message_hub=dict(log_scalars=dict(loss=buffer)),
        scalar=np.float64(2.5),
        array=np.arange(3, dtype=np.int64),
    )
    torch.save(content, tmp_path / 'a.pth')
    loaded = torch.load(tmp_path / 'a.pth', weights_only=True)
    assert loaded['message_hub']['log_scalars']['loss'].statistics('mean') == 2.0
    assert loaded['scalar'] == 2.5
    assert loaded['array'].tolist() == [0, 1, 2]


def test_history_of_an_old_checkpoint_is_the_usual_class_again(tmp_path):
    """Neither its functions nor its class stay those of the file."""
    before = dict(HistoryBuffer._statistics_methods)
    torch.save([HistoryBuffer([1.0, 3.0], [1, 1], 9)], tmp_path / 'a.pth')
    [buffer] = torch.load(tmp_path / 'a.pth', weights_only=True)
    assert type(buffer) is HistoryBuffer
    assert type(buffer.data[0]) is np.ndarray
    assert buffer.max_length == 9
    assert HistoryBuffer._statistics_methods == before


class OldHub(MessageHub):
    """As MMEngine is without us."""

    state_dict = MessageHub.state_dict.__wrapped__


@pytest.mark.parametrize('kind', [MessageHub, OldHub], ids=['new', 'old'])
def test_message_hubs_are_restored(tmp_path, kind):
    hub = kind('first')
    hub.update_scalar('train/loss', 2.0)
    hub.update_scalar('train/loss', 4.0, 3)
    hub.update_scalar('passing', 1.0, resumed=False)
    hub.update_info('best', np.float64(0.5))
    hub.update_info('epoch', 7)
    torch.save(hub.state_dict(), tmp_path / 'a.pth')
    other = MessageHub('second')
    other.load_state_dict(torch.load(tmp_path / 'a.pth', weights_only=True))
    assert other.get_scalar('train/loss').mean() == (2 + 4) / (1 + 3)
    assert other.get_scalar('train/loss').max_length == 1_000_000
    assert (other.get_info('best'), other.get_info('epoch')) == (0.5, 7)
    assert set(other.log_scalars) == {'train/loss'}
    other.update_scalar('train/loss', 8.0)
    assert other.get_scalar('train/loss').current() == 8.0


def test_new_hub_takes_over_another_hub():
    first, second = MessageHub('a'), MessageHub('b')
    first.update_scalar('loss', 2.0)
    second.load_state_dict(first)
    assert second.get_scalar('loss').current() == 2.0


def test_own_checkpoints_need_no_stand_ins(shrunk, tmp_path):
    """Torch alone reads what a run of ours wrote, with optimizer, rates and logs."""
    cfg = shrunk('temporal_lstm_vgg16-fc6_1xb64-30x1-50e_ucf101-split1-rgb')
    cfg.train_cfg.max_epochs = 2
    build_runner(cfg, tmp_path).train()
    files = sorted(tmp_path.glob('*.pth'))
    assert len(files) >= 2
    code = (
        'import sys, torch\n'
        'for path in sys.argv[1:]:\n'
        '    content = torch.load(path, weights_only=True)\n'
        "    print(sorted(content), len(content['message_hub']['log_scalars']))\n"
        "assert 'mmengine' not in sys.modules\n"
    )
    result = subprocess.run(
        [sys.executable, '-c', code, *files], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    assert 'optimizer' in result.stdout
    hub = MessageHub('resumed')
    hub.load_state_dict(torch.load(tmp_path / 'epoch_2.pth')['message_hub'])
    assert hub.get_scalar('train/loss').data[0].size > 0


def test_checkpoints_of_one_cycle_schedules_load(tmp_path):
    weight = torch.nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([weight], lr=0.1)
    schedule = dict(eta_max=1.0, total_steps=7)
    first = OneCycleLR(optimizer, **schedule)
    for _ in range(3):
        optimizer.step()
        first.step()
    torch.save(first.state_dict(), tmp_path / 'a.pth')
    other = torch.optim.SGD([weight], lr=0.1)
    second = OneCycleLR(other, **schedule)
    second.load_state_dict(torch.load(tmp_path / 'a.pth', weights_only=True))
    rates = []
    for owner, scheduler in ((optimizer, first), (other, second)):
        owner.step()
        scheduler.step()
        rates.append(owner.param_groups[0]['lr'])
    assert second.last_step == 4
    assert rates[0] == pytest.approx(rates[1])


@pytest.mark.parametrize(
    'gadget, error, message',
    [
        (Malicious(), pickle.UnpicklingError, 'eval'),
        (GetattrGadget(), TypeError, "got '__init__' of .*: the file is refused"),
    ],
    ids=['eval', 'getattr'],
)
def test_malicious_checkpoint_is_refused(tmp_path, gadget, error, message, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save(dict(state_dict=gadget), 'bad.pth')
    with pytest.raises(error, match=message):
        torch.load('bad.pth')
    assert not (tmp_path / 'executed').exists()


def test_repairs_run_twice_without_wrapping_twice():
    compat.repair_stack()
    first = Runner.load_checkpoint
    compat.repair_stack()
    assert Runner.load_checkpoint is first


@pytest.mark.skipif(torch.cuda.is_available(), reason='the repair is for CPUs only')
def test_ddp_on_cpu_ignores_device_ids(tmp_path):
    code = """
import mmattn, torch
from mmengine.dist import init_dist
from mmengine.model import MMDistributedDataParallel
import os
os.environ.update(RANK='0', LOCAL_RANK='0', WORLD_SIZE='1',
                  MASTER_ADDR='127.0.0.1', MASTER_PORT='29611')
init_dist('pytorch', backend='nccl')
model = MMDistributedDataParallel(module=torch.nn.Linear(2, 2), device_ids=[0])
print(torch.distributed.get_backend(), model.device_ids, flush=True)
os._exit(0)
"""
    result = run_python(code)
    assert result.stdout.split() == ['gloo', 'None'], result.stderr


def test_configs_are_found_by_package_name():
    from mmengine.config.utils import MODULE2PACKAGE

    assert MODULE2PACKAGE['mmattn'] == 'mmattn'


@pytest.mark.det
@pytest.mark.skipif(NO_MMDET, reason='mmdet is not installed')
def test_the_detection_check_passes():
    assert compat.require_detection() is None


def test_checks_name_what_is_missing_in_one_line(monkeypatch):
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name: None)
    for check, command in (
        (compat.require_detection, 'pip install mmdet==3.3.0'),
        (compat.require_mmcv, 'pip install mmcv-lite==2.1.0'),
    ):
        with pytest.raises(ImportError, match=re.escape(f': {command}') + '$') as error:
            check()
        assert '\n' not in str(error.value)


FAKE_MMCV = """
import importlib.util, pathlib, sys
package = pathlib.Path({folder!r}, 'mmcv')
package.mkdir()
(package / '__init__.py').touch()
if {compiled}:
    (package / '_ext.py').write_text('nms = "compiled"')
sys.path.insert(0, {folder!r})
from mmattn import compat
compat.provide_operators()
compat.provide_operators()
print(sum(isinstance(f, compat._OperatorFinder) for f in sys.meta_path))
print(compat.has_compiled_operators())
import mmcv._ext
print(mmcv._ext.nms == 'compiled', hasattr(mmcv._ext, 'anything'))
"""


@pytest.mark.parametrize('compiled', [True, False])
def test_compiled_operators_are_never_replaced(tmp_path, compiled):
    result = run_python(FAKE_MMCV.format(folder=str(tmp_path), compiled=compiled))
    expected = [str(x) for x in (1, compiled, compiled, not compiled)]
    assert result.stdout.split() == expected, result.stderr


@pytest.mark.skipif(compat.has_compiled_operators(), reason='mmcv is compiled here')
def test_other_operators_say_how_to_get_them():
    from mmcv.ops import box_iou_rotated

    boxes = torch.tensor([[1.0, 2, 3, 4, 0]])
    with pytest.raises(NotImplementedError, match='MMCV_WITH_OPS=1 pip') as error:
        box_iou_rotated(boxes, boxes)
    assert "for 'box_iou_rotated', got mmcv-lite" in str(error.value)


def test_reports_of_the_environment_name_the_operators():
    from mmattn import operators

    assert 'mmattn' in operators.get_compiler_version()
    assert 'mmattn' in operators.get_compiling_cuda_version()


def test_importing_mmattn_imports_no_models():
    result = run_python(
        'import sys, mmattn\n'
        "print([m for m in sys.modules if m.startswith(('mmaction', 'mmdet', 'mmcv'))])"
    )
    stand_in = 'mmaction.models.localizers.drn'
    assert set(ast.literal_eval(result.stdout)) <= {stand_in, f'{stand_in}.drn'}


@pytest.mark.parametrize('scope', ['mmengine', 'mmaction'])
def test_names_resolve_from_other_scopes(scope):
    code = f"""
import mmattn, mmaction.registry
from mmengine.registry import init_default_scope
from mmaction.registry import MODELS
init_default_scope({scope!r})
print(type(MODELS.build(dict(type='mmattn.StoredFeatures'))).__name__)
"""
    result = run_python(code)
    assert result.stdout.strip() == 'StoredFeatures', result.stderr


@pytest.mark.det
@pytest.mark.skipif(NO_MMDET, reason='mmdet is not installed')
def test_names_resolve_inside_mmdet_scope():
    code = """
import mmattn
from mmdet.registry import MODELS
from mmengine.registry import init_default_scope
init_default_scope('mmaction')
with MODELS.switch_scope_and_registry('mmdet') as registry:
    print(type(registry.build(dict(type='mmattn.StoredFeatures'))).__name__)
"""
    result = run_python(code)
    assert result.stdout.strip() == 'StoredFeatures', result.stderr


def test_resume_does_not_run_the_checkpoints_config(tmp_path, monkeypatch):
    checkpoint = dict(
        state_dict={}, meta=dict(config="open('executed', 'w')", epoch=1, iter=1)
    )

    class Host(Runner):
        def __init__(self):
            pass

    path = tmp_path / 'a.pth'
    torch.save(checkpoint, path)
    runner = Host()
    runner.call_hook = lambda *args, **kwargs: None
    runner.model = torch.nn.Identity()
    runner._log_name = runner.logger_name = 'x'
    monkeypatch.setattr(
        Runner, 'logger', property(lambda self: _Silent()), raising=False
    )
    loaded = runner.load_checkpoint(str(path))
    assert 'config' not in loaded['meta']
    assert isinstance(Config(loaded['meta']).epoch, int)


class _Silent:
    def info(self, *args):
        """Drop the message."""


def test_addresses_unpickle_no_code(tmp_path, monkeypatch):
    """A checkpoint served over http goes through the same allow-list."""
    from mmengine.runner.checkpoint import CheckpointLoader

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(torch.hub, 'download_url_to_file', _copy_malicious)
    with pytest.raises(pickle.UnpicklingError):
        CheckpointLoader.load_checkpoint(
            'http://localhost/model.pth', map_location='cpu'
        )
    assert not (tmp_path / 'executed').exists()


def _copy_malicious(url, destination, *args, **kwargs):
    torch.save({'state_dict': Malicious()}, destination)


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
@pytest.mark.parametrize('named', [True, False])
def test_no_metric_sees_scores_that_are_no_numbers(value, named):
    """The host's AccMetric would report an accuracy of 1."""
    from mmaction.evaluation import AccMetric
    from mmaction.structures import ActionDataSample
    from mmengine.evaluator import Evaluator

    evaluator = Evaluator([AccMetric()])
    sample = ActionDataSample(metainfo={'video_id': 'run/a'} if named else {})
    sample.set_gt_label(1).set_pred_score(torch.tensor([0.5, value]))
    name = 'run/a' if named else 'a video'
    with pytest.raises(ValueError, match=f'{name}: .* got nan or inf in pred_score'):
        evaluator.process([sample])
    sample.set_pred_score(torch.tensor([0.25, 0.75]))
    evaluator.process([sample])
    assert evaluator.evaluate(1)['acc/top1'] == 1


@pytest.mark.slow
@pytest.mark.filterwarnings('ignore')  # the compiler warns of what it does itself
def test_compile_in_a_config(shrunk, tmp_path):
    """The step is compiled, which ends where samples are copied, and is the same."""
    trained = []
    for options in ({}, dict(compile=dict(backend='eager'))):
        cfg = shrunk('tsn_in1k-pre-bninception_8xb8-1x1x3-100e_ucf101-split1-rgb')
        cfg.merge_from_dict(options)
        cfg.randomness = dict(seed=0)
        runner = build_runner(cfg, tmp_path / str(len(trained)))
        runner.train()
        trained.append(runner.model.state_dict())
    assert hasattr(runner.model.train_step, '_torchdynamo_orig_callable')
    plain, compiled = trained
    assert plain.keys() == compiled.keys()
    for name, weight in plain.items():
        torch.testing.assert_close(compiled[name], weight, msg=name)


def test_a_config_is_laid_out_once(monkeypatch):
    calls = []

    def count(text, **options):
        calls.append(text)
        return text.upper(), True

    monkeypatch.setattr('mmengine.config.config.FormatCode', count)
    compat.lay_out_configs_once()
    compat.lay_out_configs_once()
    texts = [Config(dict(a=value)).pretty_text for value in (1, 2, 1)]
    assert texts == ['A=1', 'A=2', 'A=1']
    assert calls == ['a=1', 'a=2']
