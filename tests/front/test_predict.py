"""One object for a model, and the command that says what videos show."""

import csv
import json
import sys

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image

import mmattn
from mmattn.datasets.base import BrokenVideoError
from mmattn.datasets.video_reader import open_video
from mmattn.front.predict import Request, predict_all
from mmattn.inference.models import load_model
from mmattn.testing import make_tiny_data, shrink
from mmattn.utils.configs import find_config

LSTM = 'temporal_lstm_tiny-vgg16bn_1xb8-30x1-50e_keyframes-rgb'
FRAME_WISE = 'convlstm_in1k-pre-vgg16_1xb15-30x1-10e_hmdb51-split1-rgb'
PYRAMID = 'pyramid_in1k-pre-bninception_8xb8-1x1x3-10kiter_ucf101-split1-rgb'
INSERTED = 'stbta-one_in1k-pre-bninception_8xb8-1x1x3-100e_ucf101-split1-rgb'
DETECTOR = 'slowfast_attn-tiny_i3d-r18_1xb8-16x4x1-20e_own-rgb'
CLASSES = ['run', 'hop', 'sit']


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    """Function that writes a checkpoint that carries its shrunk config."""
    folder = tmp_path_factory.mktemp('models')
    data = make_tiny_data(folder / 'data')

    def write(stem):
        path = folder / f'{stem}.pth'
        if not path.exists():
            cfg = shrink(Config.fromfile(find_config(stem)), data)
            network = load_model(cfg, untrained=True)
            meta = dict(cfg=cfg.pretty_text, dataset_meta=dict(classes=CLASSES))
            torch.save(dict(state_dict=network.state_dict(), meta=meta), path)
        return path

    return write


@pytest.fixture
def video(tiny_data):
    return tiny_data / 'videos' / 'clip_0.mp4'


@pytest.fixture
def frames(video):
    with open_video(video) as reader:
        return np.stack(list(reader.frames()))


def by_hand(network, video):
    """Scores as the test pipeline and `test_step` give them."""
    from mmengine.dataset import Compose, pseudo_collate

    info = dict(filename=str(video), video_id='x', label=-1, start_index=0)
    item = Compose(network.cfg.test_pipeline)(dict(info, modality='RGB'))
    with torch.no_grad():
        (sample,) = network.test_step(pseudo_collate([item]))
    return sample.pred_score.numpy()


@pytest.mark.parametrize('stem', [LSTM, FRAME_WISE, PYRAMID, INSERTED])
def test_scores_are_those_of_the_test(checkpoint, video, stem):
    model = mmattn.load(checkpoint(stem))
    result = model.predict(video)
    np.testing.assert_allclose(result.scores, by_hand(model.network, video), atol=1e-6)
    assert result.classes == tuple(CLASSES)
    assert result.label == CLASSES[result.scores.argmax()]
    assert result.top(2)[0] == (result.label, pytest.approx(result.scores.max()))
    assert len(result.attention) >= 1


def test_arrays_and_iterators_give_what_the_file_gives(checkpoint, video, frames):
    model = mmattn.load(checkpoint(LSTM))
    expected = model.predict(video).scores
    for given in (frames, iter(frames), list(frames)):
        found = model.predict(given)
        np.testing.assert_array_equal(found.scores, expected)
        assert found.frames.seconds is None
    assert model.predict(frames, fps=10).frames.seconds[1] == pytest.approx(0.1)


def test_lists_folders_and_patterns_give_lists(checkpoint, video):
    model = mmattn.load(checkpoint(LSTM))
    alone = [model.predict(path) for path in sorted(video.parent.glob('*.mp4'))]
    for given in (video.parent, str(video.parent / '*.mp4'), [*video.parent.glob('*')]):
        found = {result.name: result.scores for result in model.predict(given)}
        assert len(found) == len(alone) == 4
        for result in alone:
            np.testing.assert_allclose(found[result.name], result.scores, atol=1e-6)


def test_batches_keep_attention_apart(checkpoint, video, frames):
    """Clips of one shape share a batch, also where rows do not say whose they are."""
    for stem in (LSTM, INSERTED):
        model = mmattn.load(checkpoint(stem))
        other = frames[::-1].copy()
        together = model.predict([frames, other], batch_size=2)
        for result, given in zip(together, (frames, other), strict=True):
            alone = model.predict(given)
            assert len(result.attention) == len(alone.attention)
            for a, b in zip(result.attention, alone.attention, strict=True):
                torch.testing.assert_close(a.map, b.map, rtol=1e-4, atol=1e-6)
                assert torch.equal(a.frames, b.frames)


def test_attention_can_be_left_out(checkpoint, video):
    assert not mmattn.load(checkpoint(LSTM)).predict(video, attention=False).attention


def test_frames_have_classes_where_the_model_gives_them(checkpoint, video):
    result = mmattn.load(checkpoint(FRAME_WISE)).predict(video)
    scores = result.frames.scores
    assert scores.shape == (len(result.frames), 3)
    np.testing.assert_allclose(scores.mean(axis=0), result.scores, atol=1e-6)
    rows = [row for row in result.rows(1) if 'frame' in row]
    assert [row['frame'] for row in rows] == result.frames.numbers.tolist()


def test_parts_are_predicted_like_clips_of_their_own(checkpoint, frames, tmp_path):
    model = mmattn.load(checkpoint(LSTM))
    found = model.predict(frames, every=0.5, fps=10)
    starts = [round(part.start, 6) for part in found.segments]
    assert starts == [0, 0.5, 0.6]  # the last part ends with the video
    for part, start in zip(found.segments, (0, 5, 6), strict=True):
        alone = model.predict(frames[start : start + 5], crops='center')
        np.testing.assert_allclose(part.scores, alone.scores, atol=1e-6)
    streamed = list(model.stream(iter(frames), every=0.5, fps=10))
    for part, other in zip(found.segments, streamed, strict=True):
        np.testing.assert_allclose(part.scores, other.scores, atol=1e-6)


def test_files_are_cut_like_arrays(checkpoint, video, frames):
    model = mmattn.load(checkpoint(LSTM))
    of_file = model.predict(video, every=0.5)
    of_array = model.predict(frames, every=0.5, fps=10)
    np.testing.assert_allclose(of_file.scores, of_array.scores, atol=1e-6)


def test_an_endless_source_is_answered_at_once_in_the_memory_of_a_part(checkpoint):
    taken = 0

    def camera():
        nonlocal taken
        while True:
            taken += 1
            yield np.full((48, 64, 3), taken % 256, np.uint8)

    model = mmattn.load(checkpoint(LSTM))
    parts = model.stream(camera(), every=0.5, fps=10)
    assert next(parts).end == 0.5
    assert taken <= 10  # not far ahead of what was answered
    assert next(parts).end == 1.0
    with pytest.raises(ValueError, match=r'expected at most 3000 frames at once'):
        model.predict(camera())


def test_detections(checkpoint, video):
    model = mmattn.load(checkpoint(DETECTOR))
    found = model.predict(video, persons='frame', every=0.5)
    assert [key.second for key in found.key_frames] == [0.0, 0.5, 1.0]
    rows = list(found.rows(1))
    assert rows[0]['class'] in CLASSES
    assert (rows[0]['x1'], rows[0]['y2']) == pytest.approx((0, 1), abs=0.01)
    with pytest.raises(
        ValueError, match=r'persons: expected boxes for a model without'
    ):
        model.predict(video)


def test_what_is_saved(checkpoint, video, tmp_path):
    result = mmattn.load(checkpoint(LSTM)).predict(video)
    names = sorted(path.name for path in result.save(tmp_path))
    attention = ['clip_0-attention.json', 'clip_0-attention.npz']
    assert names == [*attention, 'clip_0.json', 'clip_0.png']
    content = json.loads((tmp_path / 'clip_0.json').read_text())
    assert content['scores'][result.label] == pytest.approx(
        result.scores.max(), abs=1e-6
    )
    with Image.open(tmp_path / 'clip_0.png') as picture:
        assert picture.width > 100


def test_what_is_shown(checkpoint, video):
    model = mmattn.load(checkpoint(LSTM))
    assert 'FrameRecognizer > VGG > TemporalLSTMHead, 3 classes' in repr(model)
    result = model.predict(video)
    assert repr(result).startswith(f'Prediction(clip_0.mp4: {result.label} 0.')
    assert 'data:image/jpeg;base64,' in result._repr_html_()
    timeline = model.predict(video, every=0.5)
    assert repr(timeline).startswith('Timeline(clip_0.mp4: 3 parts: 0:00.0-')
    assert '<td>0:00.0</td>' in timeline._repr_html_()


def test_bfloat16(checkpoint, video):
    plain = mmattn.load(checkpoint(LSTM)).predict(video)
    narrow = mmattn.load(checkpoint(LSTM), bf16=True).predict(video)
    assert narrow.scores.dtype == np.float32
    np.testing.assert_allclose(narrow.scores, plain.scores, atol=0.02)
    assert not np.array_equal(narrow.scores, plain.scores)


@pytest.mark.parametrize(
    'given, error, match',
    [
        (
            np.zeros((2, 8, 8, 3)),
            ValueError,
            r'of uint8, got \(2, 8, 8, 3\) of float64',
        ),
        (np.zeros((8, 8, 3), np.uint8), ValueError, r'expected RGB frames \(T, H, W'),
        (torch.zeros(2, 8, 8, 3), TypeError, 'got a tensor'),
        (None, TypeError, 'expected a video, got None'),
        (3.5, TypeError, 'got float'),
        ([], ValueError, 'expected one or more videos'),
        ('none.mp4', ValueError, r'expected a file or folder, got none\.mp4'),
        ('none*.mp4', ValueError, r'expected files that match none\*\.mp4'),
        (iter([np.zeros((2, 2), np.uint8)]), ValueError, 'frame 0: expected an RGB'),
    ],
)
def test_what_is_no_video(checkpoint, given, error, match):
    with pytest.raises(error, match=match):
        mmattn.load(checkpoint(LSTM)).predict(given)


def test_options_out_of_range(checkpoint, frames):
    model = mmattn.load(checkpoint(LSTM))
    for options, match in (
        (dict(every=0), 'every: expected above 0, got 0'),
        (dict(window=2), 'every: expected with window=2'),
        (dict(every=1), 'fps: expected the frames per second of the array'),
        (dict(crops='ten'), r"crops: expected one of \('test', 'center'\)"),
        (dict(persons='frame'), 'persons: expected none for a recognizer'),
        (dict(batch_size=0), 'batch_size: expected above 0'),
    ):
        with pytest.raises(ValueError, match=match):
            model.predict(frames, **options)
    with pytest.raises(ValueError, match='top: expected at least 1'):
        model.predict(frames).top(0)


def test_broken_videos_are_named(checkpoint, video, tmp_path):
    (tmp_path / 'a.mp4').write_bytes(b'no video')
    (tmp_path / 'b.mp4').write_bytes(video.read_bytes())
    model = mmattn.load(checkpoint(LSTM))
    with pytest.raises(BrokenVideoError, match=r'a\.mp4: '):
        model.predict(tmp_path)
    (left,) = model.predict(tmp_path, skip_broken=True)
    assert left.name == 'b.mp4'


def test_classes_that_do_not_fit(checkpoint):
    with pytest.raises(ValueError, match='expected the names of 3 classes, got 2'):
        mmattn.load(checkpoint(LSTM), classes=['a', 'b'])
    with pytest.raises(ValueError, match='expected a file with the trained weights'):
        mmattn.load(LSTM)


def ask(model, *inputs, **options):
    return predict_all(Request(str(model), [str(one) for one in inputs], **options))


def test_command_prints_and_writes_tables(checkpoint, video, tmp_path, capsys):
    table = tmp_path / 'labels.csv'
    assert ask(checkpoint(LSTM), video.parent, top=2, out=str(table)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith('clip_0.mp4: ')
    assert lines[-1] == f'wrote {table}'
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert [row['rank'] for row in rows] == ['1', '2'] * 4
    assert lines[0].split()[1] == rows[0]['class']


def test_command_over_time(checkpoint, video, tmp_path, capsys):
    for name in ('labels.json', 'film.mp4', 'labels.csv'):
        ask(checkpoint(LSTM), video, every=0.5, out=str(tmp_path / name))
    out = capsys.readouterr().out.splitlines()
    assert out[0] == 'clip_0.mp4'
    assert out[1].split()[:3] == ['0:00.0', '-', '0:01.1']
    content = json.loads((tmp_path / 'labels.json').read_text())
    assert len(content['videos'][0]['segments']) == 3
    rows = list(csv.DictReader((tmp_path / 'labels.csv').read_text().splitlines()))
    assert {row['start'] for row in rows} == {'0.0', '0.5', '0.6'}
    with open_video(tmp_path / 'film.mp4') as film, open_video(video) as source:
        assert len(film) == len(source)


def test_command_with_config_and_weights(checkpoint, video, tmp_path, capsys):
    config = tmp_path / 'mine.py'
    content = torch.load(checkpoint(LSTM), weights_only=True)
    config.write_text(content['meta']['cfg'])
    assert ask(config, checkpoint(LSTM), video) == 0
    found = capsys.readouterr().out
    assert all(name in found for name in content['meta']['dataset_meta']['classes'])


def test_command_says_which_videos_are_broken(checkpoint, video, tmp_path, capsys):
    (tmp_path / 'a.mp4').write_bytes(b'no video')
    assert ask(checkpoint(LSTM), tmp_path, video) == 1
    said = capsys.readouterr()
    assert said.err.startswith('broken: a.mp4: ')
    assert said.out.startswith('clip_0.mp4: ')


def test_command_draws_persons(checkpoint, video, tmp_path, capsys):
    film = tmp_path / 'film.mp4'
    assert ask(checkpoint(DETECTOR), video, persons='frame', out=str(film)) == 0
    assert '0:01.0  [0.0' in capsys.readouterr().out
    assert film.stat().st_size > 1000


def test_command_refuses(checkpoint, video, tmp_path):
    for options, match in (
        (dict(top=0), '--top: expected at least 1'),
        (dict(out='a.txt'), '--out: expected a folder or a file ending in'),
    ):
        with pytest.raises(ValueError, match=match):
            ask(checkpoint(LSTM), video, **options)
    with pytest.raises(ValueError, match=r'expected one video file for an \.mp4, got'):
        ask(checkpoint(LSTM), video.parent, out=str(tmp_path / 'a.mp4'))
    with pytest.raises(ValueError, match='expected one or more videos, got none'):
        ask(LSTM, checkpoint(LSTM))


def test_importing_mmattn_stays_cheap():
    import subprocess

    code = 'import mmattn, sys; print("mmattn.front.model" in sys.modules); mmattn.load'
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', code], capture_output=True, text=True
    )
    assert done.stdout == 'False\n', done.stderr


@pytest.mark.slow
def test_an_exported_file_says_what_the_model_says(checkpoint, video, tmp_path):
    from mmattn.inference.export import export
    from mmattn.inference.inputs import read_video
    from mmattn.inference.score import ClipScorer, packed_clip

    model = mmattn.load(checkpoint(FRAME_WISE))
    clips, infos = packed_clip(read_video(model.network, video).item)
    path = export(ClipScorer(model.network, infos), clips, tmp_path / 'model.onnx')
    exported = mmattn.load(path)
    assert exported.classes == tuple(CLASSES)
    other = video.with_name('clip_1.mp4')
    expected = model.predict(other, crops='center')
    found = exported.predict(other)
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-5)
    assert not found.attention
    assert len(exported.predict(video, every=0.5).segments) == 3
    config = tmp_path / 'mine.py'
    config.write_text(model.cfg.pretty_text)
    again = mmattn.load(config, path).predict(other)
    np.testing.assert_array_equal(again.scores, found.scores)
    (tmp_path / 'bad.onnx').write_bytes(b'no')
    for name, match in (
        ('bad', 'expected an ONNX file, got another'),
        ('none', 'expected an exported model, got no file'),
    ):
        with pytest.raises(ValueError, match=match):
            mmattn.load(tmp_path / f'{name}.onnx')
