"""From video files to pictures, films, numbers and a page that a browser shows."""

import base64
import hashlib
import html
import io
import json
import re
import shutil

import cv2
import decord
import mmcv
import numpy as np
import pytest
import torch
from attending_models import SIZE, spatial_model
from browser import dom_of, needs_browser
from PIL import Image

from mmattn.inference.attend import attend
from mmattn.inference.inputs import read_video
from mmattn.inference.models import load_model
from mmattn.visualization.attention_pictures import DrawOptions, draw_attention
from mmattn.visualization.drawable_attention import drawable_attention
from mmattn.visualization.export import load_records
from mmattn.visualization.heat_overlay import OverlayStyle
from mmattn.visualization.timeline import KEY
from mmattn.visualization.timeline_layout import timeline_layout

VIDEO = 'temporal_lstm_vgg16_8xb4-30x1-20e_ucf101-split1-rgb'
FRAMES = 'convlstm_in1k-pre-vgg16_1xb15-30x1-10e_hmdb51-10c-split1-rgb'


@pytest.fixture
def clips(real_data):
    return real_data / 'clips'


def test_places_of_a_host_recognizer_on_a_real_clip(clips, tmp_path):
    """Frame numbers, times and places against the frames decoded here."""
    video = clips / 'two_people.mp4'
    options = DrawOptions(formats=('png', 'gif', 'mp4'), num_columns=3)
    files, broken = draw_attention(
        {'m': spatial_model()}, [video], tmp_path, options=options, progress=False
    )
    assert broken == []
    assert all(file.stat().st_size > 100 for file in files)
    folder = tmp_path / 'two_people'
    (record,) = load_records(folder / 'attention.json')
    entry = json.loads((folder / 'attention.json').read_text())['records'][0]
    reader = decord.VideoReader(str(video))
    numbers = record.frames[:, 0].tolist()
    assert len(numbers) == 5
    assert numbers == sorted(set(numbers))
    fps = reader.get_avg_fps()
    np.testing.assert_allclose(np.ravel(entry['times']), np.array(numbers) / fps, 1e-4)
    for number, found in zip(numbers, record.map.numpy(), strict=True):
        frame = mmcv.imrescale(reader[number].asnumpy(), (np.inf, SIZE))
        left = (frame.shape[1] - SIZE) // 2
        gray = frame[:, left : left + SIZE].astype(float).mean(axis=2)
        level = gray.reshape(8, 4, 8, 4).mean(axis=(1, 3))
        assert np.corrcoef(level.ravel(), found.ravel())[0, 1] > 0.99999
    film = cv2.VideoCapture(str(folder / 'sheet.mp4'))
    assert film.get(cv2.CAP_PROP_FRAME_COUNT) == 5
    with Image.open(folder / 'sheet.gif') as gif:
        assert gif.n_frames == 5


def test_ten_crops_become_the_center_crop(clips, tmp_path):
    video = clips / 'part_0.mp4'
    for crop in ('CenterCrop', 'TenCrop'):
        draw_attention(
            {'m': spatial_model(2, crop)}, [video], tmp_path / crop, progress=False
        )
    one, ten = (
        load_records(tmp_path / crop / 'part_0')[0].map
        for crop in ('CenterCrop', 'TenCrop')
    )
    torch.testing.assert_close(one, ten)


def test_two_models_a_folder_and_a_broken_video(shrunk, tiny_data, tmp_path):
    folder = tmp_path / 'in'
    folder.mkdir()
    shutil.copy(tiny_data / 'videos' / 'clip_1.mp4', folder)
    (folder / 'bad.mp4').write_bytes(b'no video')
    models = {'a b': load_model(shrunk(VIDEO), None), 'm': spatial_model()}
    options = DrawOptions(classes=['run', '<jump>', 'wave'], top=2)
    files, (message,) = draw_attention(
        models, [folder], tmp_path / 'out', options=options, progress=False
    )
    assert 'bad.mp4' in message
    summary = json.loads((tmp_path / 'out' / 'summary.json').read_text())
    assert summary['broken'][0]['video'].endswith('bad.mp4')
    (video,) = summary['videos']
    lstm, spatial = video['models']
    (attention,) = lstm['maps']
    assert attention['heat_shape'] is None
    assert attention['frames'] == list(range(7))
    assert sum(attention['weights']) == pytest.approx(1)
    assert spatial['maps'][0]['heat_shape'] == [5, 8, 8]
    assert {entry['name'] for entry in lstm['top']} < {'run', '<jump>', 'wave'}
    scores = [entry['score'] for entry in lstm['top']]
    assert scores == sorted(scores, reverse=True)
    listed = {tmp_path / 'out' / name for m in video['models'] for name in m['files']}
    assert listed < set(files)
    page = (tmp_path / 'out' / 'index.html').read_text()
    assert '<jump>' not in page  # nothing in names can end an element
    assert not re.search(r'https?://|src="', page)


def test_key_frames_and_the_true_class_are_marked(shrunk, tiny_data, tmp_path):
    """Orange is under the key frames of the timeline, and nowhere else."""
    model = load_model(shrunk(VIDEO), None)
    video = tiny_data / 'videos' / 'clip_1.mp4'
    truth = tmp_path / 'truth'
    truth.mkdir()
    key = np.arange(7) == 4
    np.savez(truth / 'clip_1.npz', label=np.int64(2), key=key)
    pictures = {}
    for given in (None, truth):
        out = tmp_path / str(given is None)
        options = DrawOptions(
            classes=['run', 'jump', 'wave'], ground_truth=given, page=False
        )
        draw_attention({'m': model}, [video], out, options=options, progress=False)
        (path,) = (out / 'clip_1').glob('timeline-*.png')
        pictures[given] = np.asarray(Image.open(path).convert('RGB'))
    layout = timeline_layout(7, 1.0, num_lines=3)
    marked = [
        bool((pictures[truth][bar.y + bar.height + 2, bar.x + 1] == KEY).all())
        for bar in layout.bars
    ]
    assert marked == key.tolist()
    assert not (pictures[None] == KEY).all(axis=-1).any()
    title = slice(20, 42)  # the second line: the true class stands before the score
    assert (pictures[None][title] != pictures[truth][title]).any()
    with pytest.raises(ValueError, match=r'ground_truth: .*clip_1\.npz, got none'):
        draw_attention(
            {'m': model}, [video], out, options=options._replace(ground_truth=out)
        )


def test_class_and_probability_of_every_frame(shrunk, tiny_data, tmp_path):
    """The outputs that the ConvLSTM's report names, of each frame, once."""
    model = load_model(shrunk(FRAMES), None)
    video = tiny_data / 'videos' / 'clip_1.mp4'  # 7 frames, of which 3 are taken
    options = DrawOptions(classes=['run', 'jump', 'wave'])
    draw_attention({'m': model}, [video], tmp_path, options=options, progress=False)
    summary = json.loads((tmp_path / 'summary.json').read_text())
    ((entry,),) = [video['models'] for video in summary['videos']]
    seen = read_video(model, video)
    ((sample, _),) = attend(model, [seen.item])
    scores, classes = sample.pred_frame_scores.max(dim=1)
    assert [x['frame'] for x in entry['frames']] == seen.numbers.ravel().tolist()
    assert [x['score'] for x in entry['frames']] == pytest.approx(scores.tolist())
    named = [options.classes[k] for k in classes]
    assert [x['name'] for x in entry['frames']] == named
    attended = drawable_attention(model, seen)
    first = seen.numbers.ravel()[0]
    assert attended.captions()[0] == f'{first}: class {classes[0]} {scores[0]:.2f}'


def test_a_repeated_frame_counts_once(shrunk, tmp_path):
    cfg = shrunk(FRAMES)
    for step in cfg.test_pipeline:
        step.update(num_frames=5) if step.type.endswith('SpacedFrames') else None
    cfg.model.cls_head.num_segments = 5
    model, path = load_model(cfg, None), tmp_path / 'short.mp4'
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*'mp4v'), 10, (64, 48))
    for value in (0, 200):
        writer.write(np.full((48, 64, 3), value, np.uint8))
    writer.release()
    attended = drawable_attention(model, read_video(model, path))
    assert list(attended.frame_scores) == [0, 1] == list(attended.pictures)


def test_whole_frame(tiny_data, tmp_path):
    video = tiny_data / 'videos' / 'clip_0.mp4'  # 64 x 48, cut at both sides
    options = DrawOptions(whole_frame=True, formats=(), page=False)
    draw_attention({'m': spatial_model()}, [video], tmp_path, options=options)
    summary = json.loads((tmp_path / 'summary.json').read_text())
    (model,) = summary['videos'][0]['models']
    # Resized to 43 x 32; the host cuts (43 - 32) // 2 = 5 columns at the left.
    np.testing.assert_allclose(model['box'], [5 / 43, 0, 37 / 43, 1], atol=1e-6)


@pytest.mark.parametrize('whole', [None, False])
def test_the_page_shows_whole_frames_unless_told_not_to(tiny_data, tmp_path, whole):
    video = tiny_data / 'videos' / 'clip_0.mp4'
    options = DrawOptions(whole_frame=whole)
    draw_attention({'m': spatial_model()}, [video], tmp_path, options=options)
    text = (tmp_path / 'index.html').read_text()
    (held,) = re.findall(r'data-kind="video"[^>]*>(.*?)</script>', text)
    (model,) = json.loads(held)['models']
    size = (64, 48) if whole is None else (SIZE, SIZE)
    assert (model['width'], model['height']) == size
    box = [5 / 43, 0, 37 / 43, 1] if whole is None else [0, 0, 1, 1]
    np.testing.assert_allclose(model['box'], box, atol=1e-6)
    sheet = np.asarray(Image.open(tmp_path / 'clip_0' / 'sheet.png'))
    assert sheet.shape[1] == 2 * 8 + 5 * SIZE + 4 * 4  # of the network's input


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(names=['no.*']), r"names: .*attentions\.0\.gate'\], got \['no\.\*'\]"),
        (dict(formats=['bmp']), r"formats: .* got \('bmp',\)"),
        (dict(picks=dict(row=0)), r"picks: .* got \['row'\]"),
        (dict(classes=['a']), 'classes: expected the names of 3 classes, got 1'),
        (dict(top=0), 'top: expected at least 1'),
    ],
)
def test_bad_options_leave_no_page(tiny_data, tmp_path, change, message):
    video = tiny_data / 'videos' / 'clip_0.mp4'
    with pytest.raises(ValueError, match=message):
        draw_attention(
            {'m': spatial_model()}, [video], tmp_path, options=DrawOptions(**change)
        )
    assert [path for path in tmp_path.rglob('*') if path.is_file()] == []


def test_bad_paths(tiny_data, tmp_path):
    models = {'m': spatial_model()}
    empty = tmp_path / 'empty'
    empty.mkdir()
    video = tiny_data / 'videos' / 'clip_0.mp4'
    with pytest.raises(ValueError, match=r'videos: .* files .*empty, got no'):
        draw_attention(models, [empty], tmp_path / 'out')
    with pytest.raises(ValueError, match=r'videos: .* got .*none\.mp4'):
        draw_attention(models, [tmp_path / 'none.mp4'], tmp_path / 'out')
    (tmp_path / 'file').touch()
    with pytest.raises(ValueError, match='out: expected a folder that can be written'):
        draw_attention(models, [video], tmp_path / 'file' / 'out')


PROBE = """<script>
const problems = [];
addEventListener('error', (event) => problems.push(event.message));
addEventListener('load', () => setTimeout(() => {
  byId('compare').checked = true;
  byId('compare').dispatchEvent(new Event('change'));
  byId('scrub').value = 1;
  byId('scrub').dispatchEvent(new Event('input'));
  document.body.dispatchEvent(
    new KeyboardEvent('keydown', { key: 'ArrowRight', bubbles: true }));
  document.body.dataset.report = JSON.stringify({
    problems,
    where: byId('where').value,
    shown: document.querySelectorAll('.panel:not([hidden])').length,
    wide: document.documentElement.scrollWidth > innerWidth,
    picture: document.querySelector('canvas.frame').toDataURL(),
    scores: document.querySelector('tbody').textContent,
    models: [...document.querySelectorAll('.model')].map(
      (select) => select.selectedOptions[0].text),
  });
}, 1000));
</script>"""


@needs_browser
@pytest.mark.parametrize('kind', ['heat', 'threshold'])
def test_browser_draws_what_the_sheet_shows(clips, tmp_path, kind):
    options = DrawOptions(
        style=OverlayStyle(kind),
        num_columns=5,
        classes=['run', '<jump>', 'wave'],
        whole_frame=False,
    )
    video = clips / 'v_BaseballPitch_g01_c01.avi'
    models = {'m': spatial_model(), 'n': spatial_model()}
    draw_attention(models, [video], tmp_path, options=options)
    page = tmp_path / 'probed.html'
    text = (tmp_path / 'index.html').read_text()
    probe = re.search(r'<script>(.*)</script>', PROBE, re.S)[1]
    digest = base64.b64encode(hashlib.sha256(probe.encode()).digest()).decode()
    text = text.replace("script-src '", f"script-src 'sha256-{digest}' '")
    page.write_text(text.replace('<title>', PROBE + '<title>'))
    profile = f'--user-data-dir={tmp_path / "profile"}'
    dom = dom_of(page, profile, '--window-size=500,900', budget=20000)
    (found,) = re.findall(r'data-report="([^"]*)"', dom)
    report = json.loads(html.unescape(found))
    summary = json.loads((tmp_path / 'summary.json').read_text())
    model, _ = summary['videos'][0]['models']
    number = model['maps'][0]['frames'][2]
    assert report['problems'] == []
    assert not report['wide']
    assert report['where'].startswith(f'frame {number}, ')
    assert report['shown'] == 2
    assert report['models'] == ['m', 'n']
    assert f'{model["top"][0]["score"]:.3f}' in report['scores']
    assert model['top'][0]['name'] in report['scores']
    png = base64.b64decode(report['picture'].split(',')[1])
    shown = np.asarray(Image.open(io.BytesIO(png)).convert('RGB')).astype(float)
    sheet = np.asarray(Image.open(tmp_path / video.stem / 'm-sheet.png')).astype(float)
    # As laid out by draw_sheet: margin 8, lines of 20, gaps of 4, the third column.
    top, left = 8 + 3 * 20 + SIZE, 8 + 2 * (SIZE + 4)
    drawn = sheet[top : top + SIZE, left : left + SIZE]
    strip = slice(0, SIZE - 2)  # above the bar of the frame's weight
    difference = np.abs(shown - drawn)[strip]
    plain = sheet[48 : 48 + SIZE, left : left + SIZE]
    assert difference.mean() < 8  # the page's pictures are JPEG
    assert np.abs(shown - plain)[strip].mean() > 2 * difference.mean()
