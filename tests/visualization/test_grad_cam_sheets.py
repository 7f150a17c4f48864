"""Pictures of class activation maps for 2D, 3D and flow models, and the tool."""

import shutil

import cv2
import decord
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from PIL import Image
from small_systems import SLOW_ONLY

import mmattn
from mmattn.datasets.optical_flow import flow_fields, flow_function
from mmattn.datasets.video_reader import open_video
from mmattn.inference.inputs import as_pictures, read_video
from mmattn.inference.models import load_model
from mmattn.visualization.grad_cam_sheets import draw_grad_cams

TOOL = 'visualization/grad_cam.py'
RGB = 'temporal_lstm-convnet_in1k-pre-vgg16_8xb32-1x1x1-10kiter_ucf101-split1-rgb'
FLOW = 'temporal_lstm-convnet_in1k-pre-vgg16_8xb32-5x1x1-30kiter_ucf101-split1-flow'
COMPUTED_FLOW = 'tsn_in1k-pre-bninception_8xb8-5x1x3-100e_ucf101-split1-dis-flow'
SE = dict(after='layer3', module=dict(type='mmattn.SqueezeExcitation'))
RESNET = dict(type='ResNet', depth=18)
ATTENDED = dict(type='mmattn.AttentionBackbone', backbone=RESNET, attentions=[SE])


def config(backbone, head, channels, clip_len=1, num_clips=3):
    is_3d = clip_len > 1
    shape = 'NCTHW' if is_3d else 'NCHW'
    sample = dict(type='SampleFrames', clip_len=clip_len, num_clips=num_clips)
    return Config(
        dict(
            default_scope='mmaction',
            model=dict(
                type='Recognizer3D' if is_3d else 'Recognizer2D',
                backbone=backbone,
                cls_head=dict(
                    type=head, num_classes=5, in_channels=channels, average_clips='prob'
                ),
                data_preprocessor=dict(
                    type='ActionDataPreprocessor',
                    mean=[123.675, 116.28, 103.53],
                    std=[58.395, 57.12, 57.375],
                    format_shape=shape,
                ),
            ),
            test_pipeline=[
                dict(type='DecordInit'),
                dict(frame_interval=1, test_mode=True, **sample),
                dict(type='DecordDecode'),
                dict(type='Resize', scale=(-1, 72)),
                dict(type='ThreeCrop' if is_3d else 'TenCrop', crop_size=64),
                dict(type='FormatShape', input_format=shape),
                dict(type='PackActionInputs'),
            ],
        )
    )


@pytest.fixture(scope='module')
def models():
    torch.manual_seed(0)
    baseline = config(RESNET, 'TSNHead', 512)
    attended = config(ATTENDED, 'TSNHead', 512)
    return {
        'baseline': load_model(baseline, None),
        'attention': load_model(attended, None),
    }


@pytest.fixture
def clip_3d():
    return load_model(config(SLOW_ONLY, 'I3DHead', 32, clip_len=4, num_clips=2), None)


@pytest.fixture
def videos(tiny_data):
    return [tiny_data / 'videos' / f'clip_{i}.mp4' for i in (0, 1)]


def test_sheet_of_two_models(models, videos, tmp_path):
    pictures, broken = draw_grad_cams(models, videos, tmp_path)
    assert pictures == [tmp_path / 'clip_0.png', tmp_path / 'clip_1.png']
    assert broken == []
    sheet = np.asarray(Image.open(pictures[0]))
    # Three columns of 64 pixels; rows: input, two models, with lines of text.
    assert sheet.shape == (2 * 8 + 3 * (20 + 64) + 2 * 20, 2 * 8 + 3 * 64 + 2 * 4, 3)
    pipeline_input = sheet[48 : 48 + 64, 8 : 8 + 64]
    drawn = [sheet[48 + k * 84 : 48 + k * 84 + 64, 8 : 8 + 64] for k in (1, 2)]
    assert pipeline_input.std() > 5
    assert all((d != pipeline_input).any() for d in drawn)
    assert (drawn[0] != drawn[1]).any()


def test_3d_clip(clip_3d, videos, tmp_path):
    pictures, _ = draw_grad_cams({'clip': clip_3d}, videos[:1], tmp_path)
    sheet = np.asarray(Image.open(pictures[0]))
    assert sheet.shape[1] == 2 * 8 + 4 * 64 + 3 * 4


def test_films(models, videos, tmp_path):
    pictures, _ = draw_grad_cams(models, videos[:1], tmp_path, formats=('gif', 'mp4'))
    gif, mp4 = pictures
    with Image.open(gif) as film:
        assert film.n_frames == 3
    film = cv2.VideoCapture(str(mp4))
    frames = [film.read() for _ in range(4)]
    assert [ok for ok, _ in frames] == [True, True, True, False]
    assert frames[0][1].shape[1] == 2 * 8 + 64


def test_flow_by_its_color_wheel(shrunk, tiny_data, tmp_path):
    cfg = shrunk(FLOW)
    model = load_model(cfg, None)
    folder = tiny_data / 'flow' / 'clip_0'
    (picture,), broken = draw_grad_cams(
        {'flow': model}, [folder], tmp_path, layers='conv3'
    )
    assert broken == []
    sheet = np.asarray(Image.open(picture)).astype(int)
    field = sheet[48 : 48 + 32, 8 : 8 + 32]
    assert np.ptp(field, axis=2).max() > 60  # colored
    assert (sheet[100 : 100 + 32, 8 : 8 + 32] != field).any()


@pytest.mark.parametrize('kind', ['video', 'frames'])
def test_flow_over_its_rgb(shrunk, tiny_data, tmp_path, kind):
    """Frame n + 2 of a stack of the 5 fields from n, cropped as the flow was."""
    model = load_model(shrunk(FLOW), None)
    folder = tiny_data / 'flow' / 'clip_0'
    rgb = tiny_data / 'videos'
    video = decord.VideoReader(str(rgb / 'clip_0.mp4'), num_threads=1)
    frames = video.get_batch(range(len(video))).asnumpy()
    if kind == 'frames':
        rgb = tmp_path / 'frames'
        (rgb / 'clip_0').mkdir(parents=True)
        for n, frame in enumerate(frames):
            path = str(rgb / 'clip_0' / f'img_{n + 1:05d}.jpg')
            assert cv2.imwrite(path, frame[..., ::-1])
            frames[n] = cv2.imread(path)[..., ::-1]
    (picture,), _ = draw_grad_cams(
        {'flow': model}, [folder], tmp_path / 'out', layers='conv3', rgb=rgb
    )
    sheet = np.asarray(Image.open(picture)).astype(int)
    seen = read_video(model, folder)
    for column, first in enumerate(seen.numbers[:, 0]):
        left = 8 + column * 36
        drawn = sheet[48 : 48 + 32, left : left + 32]
        # 64 x 48 is resized to 48 x 36, of which the middle 32 x 32 are seen.
        frame = cv2.resize(frames[first + 2], (48, 36))[2:34, 8:40]
        assert np.abs(drawn - frame).mean() < 12
        other = cv2.resize(frames[first], (48, 36))[2:34, 8:40]
        assert np.abs(drawn - other).mean() > 20


def test_flow_computed_from_the_video(shrunk, tiny_data, tmp_path):
    """Explained and predicted from the video: its fields are those of its pairs."""
    model = load_model(shrunk(COMPUTED_FLOW), None)
    video = tiny_data / 'videos' / 'clip_0.mp4'
    pictures, broken = draw_grad_cams(
        {'flow': model}, [video], tmp_path, rgb=tiny_data / 'videos'
    )
    assert (len(pictures), broken) == (1, [])
    with open_video(video) as reader:
        total = len(reader)
        seen = read_video(model, video)
        first = int(seen.numbers[1, 0])
        frames = reader.read(range(first, first + 6))
    fields = flow_fields(frames, flow_function('dis'), bound=20)
    stack = [cv2.resize(field, (48, 36))[2:34, 8:40] for field in fields]
    assert seen.numbers.max() + 4 <= total - 2  # the last field is of the last pair
    assert np.array_equal(
        seen.inputs[1].numpy(), np.concatenate(stack, axis=-1).transpose(2, 0, 1)
    )
    predicted = mmattn.load(shrunk(COMPUTED_FLOW), untrained=True)
    scores = [predicted.predict(source).scores for source in (video, frames)]
    whole = read_video(predicted.network, video, crops='test').item
    with torch.no_grad():
        (own,) = predicted.network.test_step(pseudo_collate([whole]))
    assert np.array_equal(scores[0], own.pred_score)
    assert np.abs(scores[1] - scores[0]).max() > 0  # six frames in memory: five fields


def test_two_streams_in_one_picture(shrunk, tiny_data, tmp_path):
    """RGB reads the video; both explain the class of their mean, neither's own."""
    streams = {'rgb': load_model(shrunk(RGB), None), 'flow': load_model(shrunk(FLOW))}
    probs = dict(rgb=[0.5, 0.1, 0.4], flow=[0.1, 0.5, 0.4])
    for name, model in streams.items():
        layer = model.cls_head.fc_cls
        layer.weight.data.mul_(1e-4)
        layer.bias.data.fill_(-20)
        layer.bias.data[:3] = torch.tensor(probs[name]).log()
    folder = tiny_data / 'flow' / 'clip_0'
    options = dict(layers='conv3', rgb=tiny_data / 'videos')
    seen = {}

    def keep(path, rows, numbers, **options):
        seen[path.stem] = [row.words for row in rows], rows[0].pictures

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('mmattn.visualization.grad_cam_sheets.save_sheet', keep)
        for wanted in ('fused', None):
            draw_grad_cams(streams, [folder], tmp_path, class_index=wanted, **options)
            titles, images = seen.pop('clip_0')
            found = [title.split(': ')[1] for title in titles[1:]]
            if wanted is None:
                assert found == ['class 0 (0.50)', 'class 1 (0.50)']
            else:
                assert found == ['class 2 (0.40)', 'class 2 (0.40)']
    own = read_video(streams['rgb'], tiny_data / 'videos' / 'clip_0.mp4')
    assert np.array_equal(images, as_pictures(own.inputs))
    streams['flow'].cls_head.fc_cls = torch.nn.Linear(layer.in_features, 7)
    with pytest.raises(ValueError, match=r"same classes for 'fused', got \[3, 7"):
        draw_grad_cams(streams, [folder], tmp_path, class_index='fused', **options)


def test_flow_without_its_rgb_is_refused_first(shrunk, tiny_data, tmp_path):
    model = load_model(shrunk(FLOW), None)
    folder = tiny_data / 'flow' / 'clip_0'
    with pytest.raises(ValueError, match='rgb: expected a video clip_0 or its frames'):
        draw_grad_cams({'flow': model}, [folder], tmp_path / 'out', rgb=tmp_path)
    assert not (tmp_path / 'out').exists()


def test_missing_frames_of_flow_are_reported(shrunk, tiny_data, tmp_path):
    model = load_model(shrunk(FLOW), None)
    (tmp_path / 'clip_0').mkdir()
    cv2.imwrite(str(tmp_path / 'clip_0/img_00001.jpg'), np.zeros((48, 64, 3), np.uint8))
    folder = tiny_data / 'flow' / 'clip_0'
    pictures, broken = draw_grad_cams(
        {'flow': model}, [folder], tmp_path / 'out', layers='conv3', rgb=tmp_path
    )
    assert pictures == []
    assert 'expected frames [' in broken[0]


def test_resting_flow_is_white(shrunk, tmp_path):
    folder = tmp_path / 'still'
    folder.mkdir()
    for t in range(1, 8):
        for axis in 'xy':
            rest = np.full((48, 64), 128, np.uint8)
            cv2.imwrite(str(folder / f'flow_{axis}_{t:05d}.jpg'), rest)
    cfg = shrunk(FLOW)
    model = load_model(cfg, None)
    (picture,), _ = draw_grad_cams(
        {'flow': model}, [folder], tmp_path, layers='conv3', class_index=1
    )
    assert (np.asarray(Image.open(picture))[48 : 48 + 32, 8 : 8 + 32] == 255).all()


def test_broken_videos_are_reported_and_the_rest_goes_on(models, videos, tmp_path):
    bad = tmp_path / 'bad.mp4'
    bad.write_bytes(b'no video')
    paths = [bad, videos[0]]
    pictures, broken = draw_grad_cams(models, paths, tmp_path / 'out')
    assert [path.name for path in pictures] == ['clip_0.png']
    assert len(broken) == 1
    assert str(bad) in broken[0]


def test_real_clips(real_data, models, clip_3d, tmp_path):
    clips = real_data / 'clips'
    names = ('v_ApplyEyeMakeup_g01_c01.avi', 'flipping_a_pancake.mkv')
    corrupted = real_data / 'decode_edge_cases' / 'corrupted.mp4'
    paths = [clips / names[0], corrupted, clips / names[1]]
    pictures, broken = draw_grad_cams(
        {**models, '3d': clip_3d}, paths, tmp_path, class_index=2
    )
    assert [path.stem for path in pictures] == [n.rsplit('.', 1)[0] for n in names]
    assert len(broken) == 1
    for picture in pictures:
        sheet = np.asarray(Image.open(picture))
        assert sheet.shape[0] == 2 * 8 + 4 * (20 + 64) + 2 * 20
        assert sheet.std() > 20


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(layers='layer9'), 'layer: expected a module of the model, such as conv1'),
        (dict(layers=['layer4']), 'layers: expected one, or one for each of 2 models'),
        (dict(formats=['bmp']), 'formats: expected some of'),
        (dict(classes=['one']), 'classes: expected the names of 5 classes'),
    ],
)
def test_refusals(models, videos, tmp_path, options, message):
    options = {'class_index': 3, **options}
    with pytest.raises(ValueError, match=message):
        draw_grad_cams(models, videos, tmp_path, **options)


def test_missing_videos_are_refused_first(models, videos, tmp_path):
    with pytest.raises(ValueError, match=r'videos: expected files .*none\.mp4'):
        draw_grad_cams(models, [*videos, tmp_path / 'none.mp4'], tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


def test_tool(models, videos, tmp_path, run_tool, capsys):
    args = []
    for name, model in models.items():
        model.cfg.dump(tmp_path / f'{name}.py')
        torch.save({'state_dict': model.state_dict()}, tmp_path / f'{name}.pth')
        args += ['--model', tmp_path / f'{name}.py', tmp_path / f'{name}.pth']
    bad = tmp_path / 'bad.mp4'
    shutil.copy(__file__, bad)
    out = ['--out', tmp_path / 'out', '--class', '1', '--layer', 'layer3']
    assert run_tool(TOOL, videos[0], bad, *args, *out) == 1
    printed = capsys.readouterr()
    assert printed.out.strip().endswith('clip_0.png')
    assert f'broken: {bad}' in printed.err
    assert run_tool(TOOL, videos[0], *args, *out) == 0
    assert run_tool(TOOL, videos[0], *args, *out[:3], 'x') == 2
    assert '--class: expected a number' in capsys.readouterr().err
