"""Repairs of MMAction2's modules, made when they are imported."""

import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest
import torch
from mmaction.structures import ActionDataSample

from mmattn import compat_host

SOURCE = os.environ.get('MMATTN_MMACTION2_SOURCE', '')
NUMPY_2 = pytest.mark.skipif(
    np.lib.NumpyVersion(np.__version__) < '2.0.0', reason='the faults of numpy 2'
)


@NUMPY_2
def test_dropped_names_are_served_to_the_module_alone():
    module = ModuleType('module')
    module.np = np
    compat_host.serve_dropped_names(module)
    assert module.np.Inf == np.inf
    assert np.isnan(module.np.NAN)
    assert module.np.trapz([1.0, 3.0, 3.0], [0.0, 2.0, 3.0]) == 7.0
    found = module.np.in1d([[1, 5], [2, 7]], [2, 5])
    assert found.tolist() == [False, True, True, False]
    assert module.np.mean is np.mean
    assert not hasattr(np, 'Inf')
    with pytest.raises(AttributeError, match='no_such_name'):
        _ = module.np.no_such_name


def test_repairs_name_modules_that_exist():
    for name in compat_host.REPAIRS:
        compat_host.REPAIRS[name](__import__(name, fromlist=['*']))


def test_importing_mmattn_does_not_import_the_host():
    code = 'import sys, mmattn; assert "mmaction.utils" not in sys.modules; ' + (
        'import mmaction.utils.misc as misc; assert misc.np.Inf == float("inf")'
    )
    command = [sys.executable, '-W', 'ignore', '-c', code]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


@NUMPY_2
def test_modules_imported_earlier_are_repaired_at_once(monkeypatch):
    from mmaction.utils import misc

    monkeypatch.setattr(misc, 'np', np)
    kept = [f for f in sys.meta_path if not isinstance(f, compat_host._Finder)]
    monkeypatch.setattr(sys, 'meta_path', kept)
    compat_host.repair_on_import()
    assert misc.np.Inf == np.inf
    compat_host.repair_on_import()
    found = [f for f in sys.meta_path if isinstance(f, compat_host._Finder)]
    assert len(found) == 1


def test_frames_are_extracted_with_a_short_side(tmp_path):
    from mmaction.utils.misc import frame_extract

    video = cv2.VideoWriter(
        str(tmp_path / 'a.avi'), cv2.VideoWriter_fourcc(*'MJPG'), 5, (64, 48)
    )
    for level in (10, 200):
        video.write(np.full((48, 64, 3), level, np.uint8))
    video.release()
    paths, frames = frame_extract(str(tmp_path / 'a.avi'), 24, str(tmp_path / 'out'))
    assert [frame.shape for frame in frames] == [(24, 32, 3)] * 2
    assert [round(frame.mean()) for frame in frames] == pytest.approx([10, 200], abs=2)
    assert all(Path(path).exists() for path in paths)


def test_poses_are_made_compact():
    from mmaction.datasets.transforms import PoseCompact

    points = np.array([[[[10.0, 20.0], [30.0, 60.0]]]])
    sample = dict(img_shape=(100, 100), keypoint=points)
    result = PoseCompact(padding=0.0, threshold=1)(sample)
    assert result['img_shape'] == (40, 20)
    assert result['keypoint'].tolist() == [[[[0.0, 0.0], [20.0, 40.0]]]]


@pytest.mark.parametrize('factor', [-0.1, -0.02, 0.1, 0.5])
def test_hue_is_shifted_either_way(factor):
    from mmaction.datasets.transforms.processing import ColorJitter

    hues = np.arange(0, 180, 3, dtype=np.uint8)
    hsv = np.stack([hues, np.full_like(hues, 255), np.full_like(hues, 255)], -1)[None]
    image = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
    shifted = ColorJitter.adjust_hue(image.astype(np.float32), factor)
    found = cv2.cvtColor(shifted.astype(np.uint8), cv2.COLOR_RGB2HSV)[0, :, 0]
    expected = [(int(hue) + int(factor * 255)) % 180 for hue in hues]
    assert found.tolist() == expected


@NUMPY_2
def test_img_aug_leaves_numpy_as_it_is():
    from mmaction.datasets.transforms.wrappers import ImgAug

    before = np.bool
    with pytest.raises(Exception, match=r'imgaug|sctypes'):
        ImgAug('default')  # imgaug is missing, or does not know numpy 2
    assert np.bool is before


def test_recall_of_proposals_is_an_area():
    from mmaction.evaluation.functional import average_recall_at_avg_proposals

    truth = dict(a=np.array([[0.0, 10.0]]))
    proposals = dict(a=np.array([[0.0, 10.0, 0.9], [20.0, 30.0, 0.1]]))
    area = average_recall_at_avg_proposals(truth, proposals, 2)[-1]
    # per video and hundredth of 2 proposals: none found before 1.00, all from there on
    assert area == pytest.approx(100 * (1.0 + 0.02 / 2) / 2)


def test_classes_without_ground_truth_have_no_precision():
    from mmaction.evaluation.functional.ava_evaluation import metrics

    assert np.isnan(metrics.compute_average_precision(None, None))


@pytest.mark.filterwarnings('ignore:__array__:DeprecationWarning')  # torch's tensors
def test_retrieval_finds_one_of_several_targets():
    from mmaction.evaluation import RetrievalRecall

    scores, targets = [[0, 1, 2], [2, 1, 0]], [[1, 5], [0, 9]]
    recalls = RetrievalRecall.calculate(scores, targets, (1, 2, 3), True, True)
    assert [float(recall) for recall in recalls] == [0.0, 50.0, 100.0]


def test_tubes_of_multisports_overlap_in_time():
    from mmaction.evaluation.functional.multisports_utils import iou3dt_voc

    def tube(start: int, stop: int) -> np.ndarray:
        return np.array([[frame, 0, 0, 9, 9] for frame in range(start, stop)], float)

    # frames 2, 3 and 4 are shared: from 2 to 4, of 0 to 6
    assert iou3dt_voc(tube(0, 5), tube(2, 7)) == pytest.approx(2 / 6)
    assert iou3dt_voc(tube(0, 5), tube(2, 7), spatialonly=True) == 1.0
    assert iou3dt_voc(tube(0, 2), tube(4, 7)) == 0.0


@pytest.fixture
def moviepy_2(monkeypatch):
    """Have a moviepy 2 that writes down what it is asked for."""
    calls = []

    class ImageSequenceClip:
        def __init__(self, frames, fps):
            self.frames = frames

        def write_gif(self, filename, logger=None):
            calls.append(('gif', Path(filename).suffix, len(self.frames)))
            Path(filename).write_bytes(b'GIF89a')

        def write_videofile(self, filename, remove_temp=False, logger=None):
            calls.append(('video', Path(filename).suffix, len(self.frames)))

    module = ModuleType('moviepy')
    module.__path__ = []
    module.ImageSequenceClip = ImageSequenceClip
    monkeypatch.setitem(sys.modules, 'moviepy', module)
    return calls


@pytest.mark.parametrize('kind', ['gif', 'video'])
def test_videos_are_written_with_moviepy_2(tmp_path, moviepy_2, kind):
    from mmaction.visualization.video_backend import LocalVisBackend

    backend = LocalVisBackend(str(tmp_path))
    frames = np.zeros((3, 8, 8, 3), np.uint8)
    backend.add_video('clip', frames, out_type=kind)
    assert moviepy_2 == [(kind, dict(gif='.gif', video='.mp4')[kind], 3)]
    assert 'moviepy.editor' not in sys.modules


def test_tensorboard_gets_videos_with_moviepy_2(tmp_path, moviepy_2):
    pytest.importorskip('tensorboard', reason='the extra `vis`')
    from mmaction.visualization import ActionVisualizer

    visualizer = ActionVisualizer(
        vis_backends=[dict(type='TensorboardVisBackend')], save_dir=str(tmp_path)
    )
    sample = ActionDataSample().set_gt_label(torch.tensor(1))
    visualizer.add_datasample('clip', np.zeros((3, 64, 64, 3), np.uint8), sample)
    assert moviepy_2 == [('gif', '.gif', 3)]


HOST_TESTS = [
    'datasets/transforms/test_pose_transforms.py',
    'datasets/transforms/test_processing.py',
    'evaluation',
    'models/losses',
    'models/utils/test_blending_utils.py',
    'utils/test_misc.py',
    'visualization',
]


@pytest.mark.slow
@pytest.mark.skipif(
    not SOURCE, reason='MMATTN_MMACTION2_SOURCE does not name a source of MMAction2'
)
def test_hosts_own_tests_of_the_repaired_parts_pass(tmp_path):
    source = Path(SOURCE).resolve()
    (tmp_path / 'with_mmattn.py').write_text('import mmattn\n')
    path = os.pathsep.join([str(tmp_path), os.environ.get('PYTHONPATH', '')])
    options = [
        '-q',
        '-p',
        'with_mmattn',
        '-p',
        'no:cacheprovider',
        '-c',
        os.devnull,
        f'--rootdir={source}',
    ]
    paths = [str(source / 'tests' / name) for name in HOST_TESTS]
    # without the working directory: the installed mmaction is meant, not the source
    code = 'import sys; sys.path.pop(0); import pytest; pytest.main(sys.argv[1:])'
    result = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', code, *options, *paths],
        cwd=source,
        env=dict(os.environ, PYTHONPATH=path),
        capture_output=True,
        text=True,
    )
    assert 'failed' not in result.stdout, result.stdout[-3000:]
    assert int(re.search(r'(\d+) passed', result.stdout)[1]) > 50
