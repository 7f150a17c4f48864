"""Attention maps reach the user whole, named, and only when asked for."""

import copy
import pickle
import threading

import numpy as np
import pytest
import torch
from torch import nn
from two_processes import in_two_processes

from mmattn.attention import capture as attention_maps
from mmattn.attention.capture import (
    AttentionRecord,
    AttentionRecords,
    attention_rows,
    attention_wanted,
    capture_attention,
    emit_attention,
)


class FrameAttention(nn.Module):
    """(B, T, C) -> (B, C), hands out one weight per frame."""

    def __init__(self, channels=5):
        super().__init__()
        self.score = nn.Linear(channels, 1)

    def forward(self, x):
        weights = self.score(x).squeeze(-1).softmax(1)
        emit_attention(self, 'frame_weights', weights, ('row', 'frame'))
        return torch.einsum('bt,btc->bc', weights, x)


class PixelAttention(nn.Module):
    """(N, C, H, W) -> the same, hands out one weight per pixel."""

    def __init__(self, channels=5):
        super().__init__()
        self.score = nn.Conv2d(channels, 1, 1)

    def forward(self, x):
        weights = self.score(x).sigmoid()
        emit_attention(self, 'pixels', weights[:, 0], ('row', 'y', 'x'))
        return x * weights


class Recognizer(nn.Module):
    """Trunk on single frames, in chunks, then a head on sequences."""

    def __init__(self, chunk=4):
        super().__init__()
        self.backbone = nn.Sequential(PixelAttention(), nn.ReLU())
        self.cls_head = FrameAttention()
        self.chunk = chunk

    def forward(self, x):
        B, T = x.shape[:2]
        sample = torch.arange(B).repeat_interleave(T)
        frames = (10 * torch.arange(T)).repeat(B)[:, None]
        feats = []
        for part in range(0, B * T, self.chunk):
            rows = slice(part, part + self.chunk)
            with attention_rows(sample=sample[rows], frames=frames[rows]):
                feats.append(self.backbone(x.flatten(0, 1)[rows]))
        sequences = torch.cat(feats).mean((2, 3)).view(B, T, -1)
        with attention_rows(sample=range(B), frames=frames.view(B, T)):
            return self.cls_head(sequences)


class Emitter(nn.Module):
    """Hands out what it is given."""

    def forward(self, maps, axes, **rows):
        emit_attention(self, 'map', maps, axes, **rows)


@pytest.fixture
def video():
    return torch.rand(2, 7, 5, 3, 11)


def record_one(maps, axes, **rows):
    emitter = Emitter()
    with capture_attention(emitter) as records:
        emitter(maps, axes, **rows)
    assert len(records) == 1
    return records[0]


@pytest.mark.parametrize(
    'shape, axes',
    [
        ((2, 13), ('row', 'frame')),
        ((2, 7, 13), ('row', 'step', 'frame')),
        ((2, 7, 3, 5), ('row', 'frame', 'y', 'x')),
        ((2, 11, 3, 3), ('row', 'channel', 'cell_y', 'cell_x')),
        ((2, 13, 3, 5, 7), ('row', 'query', 'frame', 'y', 'x')),
    ],
)
def test_maps_of_every_system_are_kept_whole(shape, axes):
    maps = torch.rand(shape, dtype=torch.float64, requires_grad=True)
    record = record_one(maps, axes)
    assert torch.equal(record.map, maps)
    assert record.map.dtype == torch.float64
    assert not record.map.requires_grad
    assert record.axes == axes
    assert record.name == 'map'
    assert record.sample is None
    assert record.frames is None


def test_one_map_per_region_knows_its_video():
    maps = torch.rand(5, 2, 3, 7)
    emitter = Emitter()
    with capture_attention(emitter) as records, attention_rows(sample=[0, 1]):
        emitter(
            maps,
            ('row', 'frame', 'y', 'x'),
            sample=torch.tensor([0, 0, 1, 1, 1]),
            roi=np.array([0, 1, 0, 1, 2]),
            frames=[[3, 9]] * 5,
        )
    assert records[0].sample == (0, 0, 1, 1, 1)
    assert records[0].roi == (0, 1, 0, 1, 2)
    second = records.by_sample(1)[0]
    assert torch.equal(second.map, maps[2:])
    assert second.roi == (0, 1, 2)
    assert second.frames.tolist() == [[3, 9]] * 3


def test_names_are_those_of_the_modules(video):
    model = Recognizer(chunk=14)
    with capture_attention(model) as records:
        model(video)
    assert [r.name for r in records] == ['backbone.0.pixels', 'cls_head.frame_weights']


def test_nested_rows_and_chunks(video):
    model = Recognizer(chunk=4)
    with capture_attention(model) as records:
        model(video)
    assert [len(r.map) for r in records] == [4, 4, 4, 2, 2]
    pixels, frames = records.merged()
    assert pixels.sample == (0,) * 7 + (1,) * 7
    assert pixels.frames.flatten().tolist() == [0, 10, 20, 30, 40, 50, 60] * 2
    expected = model.backbone[0].score(video.flatten(0, 1)).sigmoid()[:, 0]
    torch.testing.assert_close(pixels.map, expected.detach())
    assert frames.sample == (0, 1)
    assert frames.frames.tolist() == [[0, 10, 20, 30, 40, 50, 60]] * 2
    of_second = records.merged().by_sample(1)
    assert torch.equal(of_second[0].map, pixels.map[7:])
    assert torch.equal(of_second[1].map, frames.map[1:])


def test_a_record_says_what_it_holds_in_one_line():
    record = AttentionRecord('head.w', torch.rand(2, 3), ('row', 'frame'))
    assert repr(record) == "AttentionRecord('head.w': row 2, frame 3)"


def test_merged_keeps_other_shapes_and_names_apart():
    def record(name, *shape, **rows):
        return AttentionRecord(name, torch.rand(shape), ('row', 'frame'), **rows)

    records = AttentionRecords(
        [record('a', 2, 3), record('a', 2, 5), record('b', 2, 3), record('a', 1, 3)]
    )
    merged = records.merged()
    assert [(r.name, tuple(r.map.shape)) for r in merged] == [
        ('a', (3, 3)),
        ('a', (2, 5)),
        ('b', (2, 3)),
    ]
    assert torch.equal(merged[0].map, torch.cat([records[0].map, records[3].map]))
    known = AttentionRecords([record('a', 1, 3), record('a', 1, 3, sample=(0,))])
    assert [r.sample for r in known.merged()] == [None, (0,)]
    boxes = torch.rand(2, 4)
    regions = AttentionRecords(
        record('a', 1, 3, boxes=boxes[k : k + 1]) for k in (0, 1)
    )
    assert torch.equal(regions.merged()[0].boxes, boxes)


def test_by_sample_leaves_out_other_samples_and_by_name_selects():
    maps = torch.rand(2, 3)
    records = AttentionRecords(
        AttentionRecord(name, maps, ('row', 'frame'), sample)
        for name, sample in [('head.a', (0, 0)), ('head.b', (1, 0))]
    )
    found = records.by_sample(1)
    assert [r.name for r in found] == ['head.b']
    assert torch.equal(found[0].map, maps[:1])
    assert [r.name for r in records.by_name('*.a')] == ['head.a']
    assert records.by_sample(2) == []


def test_names_filter(video):
    model = Recognizer()
    for names in ('cls_head.*', ['nothing', '*.frame_weights']):
        with capture_attention(model, names=names) as records:
            model(video)
        assert [r.name for r in records] == ['cls_head.frame_weights']


def test_outputs_and_gradients_are_the_same_with_and_without(video):
    model = Recognizer()
    plain = model(video)
    plain.sum().backward()
    gradients = [p.grad.clone() for p in model.parameters()]
    model.zero_grad()
    with capture_attention(model) as records:
        captured = model(video)
    captured.sum().backward()
    assert records
    assert torch.equal(plain, captured)
    assert all(
        torch.equal(p.grad, g)
        for p, g in zip(model.parameters(), gradients, strict=True)
    )


@pytest.mark.parametrize('to_cpu', [True, False])
def test_maps_are_copies(to_cpu):
    maps = torch.ones(2, 3)
    emitter = Emitter()
    with capture_attention(emitter, to_cpu=to_cpu) as records:
        emitter(maps, ('row', 'frame'))
    maps.zero_()
    assert records[0].map.eq(1).all()
    assert maps.eq(0).all()


def test_nothing_is_recorded_or_checked_when_off():
    emitter = Emitter()
    with capture_attention(emitter) as records:
        pass
    emitter(torch.ones(2, 3), ('nonsense',))
    with attention_rows(sample=[0.5], crop=[1, 2]):
        emitter(torch.ones(2, 3), ('row', 'frame'))
    assert records == []
    assert not attention_wanted()
    assert attention_maps._rows.get() is None


def test_off_reads_no_context_variable(monkeypatch, video):
    class Untouchable:
        def get(self):
            raise AssertionError('read while off')

    monkeypatch.setattr(attention_maps, '_captures', Untouchable())
    monkeypatch.setattr(attention_maps, '_rows', Untouchable())
    assert Recognizer()(video).shape == (2, 5)
    assert not attention_wanted()


def test_attention_wanted_follows_the_block():
    seen = [attention_wanted()]
    with capture_attention(nn.Identity()):
        seen.append(attention_wanted())
        with capture_attention(nn.Identity()):
            seen.append(attention_wanted())
        seen.append(attention_wanted())
    seen.append(attention_wanted())
    assert seen == [False, True, True, True, False]


def test_inner_and_outer_capture_both_get_the_maps(video):
    model = Recognizer(chunk=14)
    with capture_attention(model) as outer:
        with capture_attention(model.cls_head) as inner:
            model(video)
        model(video)
    assert [r.name for r in inner] == ['frame_weights']
    assert [r.name for r in outer] == [
        'backbone.0.pixels',
        'cls_head.frame_weights',
    ] * 2


def test_other_models_are_not_recorded(video):
    model, other = Recognizer(), Recognizer()
    with capture_attention(model) as records:
        other(video)
    assert records == []


def test_exceptions_restore_everything(video):
    model = Recognizer()
    with (
        pytest.raises(RuntimeError, match='stop'),
        capture_attention(model) as records,
        attention_rows(sample=[0]),
    ):
        raise RuntimeError('stop')
    assert not attention_wanted()
    assert attention_maps._num_open == 0
    assert attention_maps._rows.get() is None
    model(video)
    assert records == []


def test_threads_see_only_their_own(video):
    model = Recognizer(chunk=14)
    found = {}
    inside, done = threading.Event(), threading.Event()

    def capture():
        with capture_attention(model) as records:
            inside.set()
            done.wait(10)
            model(video)
            found['thread'] = len(records)

    thread = threading.Thread(target=capture)
    thread.start()
    assert inside.wait(10)
    found['wanted'] = attention_wanted()
    model(video)
    with capture_attention(model) as records:
        model(video)
    found['main'] = len(records)
    done.set()
    thread.join(10)
    assert found == {'thread': 2, 'wanted': False, 'main': 2}
    assert attention_maps._num_open == 0


def test_deepcopy_and_pickle_inside_a_capture(video):
    model = Recognizer(chunk=14)
    with capture_attention(model) as records:
        copied = copy.deepcopy(model)
        pickled = pickle.loads(pickle.dumps(model))
        expected = model(video)
        assert torch.equal(copied(video), expected)
        assert torch.equal(pickled(video), expected)
    assert len(records) == 2
    with capture_attention(copied) as records:
        copied(video)
    assert len(records) == 2


@pytest.mark.filterwarnings('ignore::DeprecationWarning')
@pytest.mark.parametrize('backend', ['eager', 'aot_eager'])
def test_compiled_model(video, backend):
    model = Recognizer(chunk=14).eval()
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    compiled = torch.compile(model, fullgraph=True, backend=backend)
    with torch.no_grad():
        expected = model(video)
        torch.testing.assert_close(compiled(video), expected)
        with capture_attention(compiled) as records:
            captured = compiled(video)
        torch.testing.assert_close(compiled(video), expected)
    assert torch.equal(captured, expected)
    assert [r.name for r in records] == ['backbone.0.pixels', 'cls_head.frame_weights']
    assert records[1].sample == (0, 1)
    assert torch._dynamo.utils.counters['stats']['unique_graphs'] == 1
    assert not torch._dynamo.utils.counters['graph_break']


def test_names_do_not_show_wrappers_but_show_a_child_called_module():
    class Parent(nn.Module):
        def __init__(self):
            super().__init__()
            self.module = Emitter()

        def forward(self, maps):
            self.module(maps, ('row', 'frame'))

    parent = Parent()
    with capture_attention(parent) as records:
        parent(torch.rand(2, 3))
    assert records[0].name == 'module.map'
    wrapper = nn.DataParallel(parent, device_ids=None)
    with capture_attention(wrapper) as records:
        parent(torch.rand(2, 3))
    assert records[0].name == 'module.map'


def test_frames_of_a_network_with_a_stride_in_time():
    emitter = Emitter()
    frames = torch.arange(20).view(2, 10)
    with capture_attention(emitter) as records, attention_rows(frames=frames):
        emitter(torch.rand(2, 5), ('row', 'frame'))
        emitter(torch.rand(2, 4), ('row', 'frame'))
        emitter(torch.rand(2, 3), ('row', 'y'))
    assert records[0].frames.tolist() == [[0, 2, 4, 6, 8], [10, 12, 14, 16, 18]]
    assert records[1].frames.tolist() == [[0, 3, 6, 9], [10, 13, 16, 19]]
    assert torch.equal(records[2].frames, frames)


def test_crop_and_window_come_from_the_rows():
    emitter = Emitter()
    rows = attention_rows
    with (
        capture_attention(emitter) as records,
        rows(sample=[0, 0, 1], crop=[0, 1, 0], window=[2, 2, 5]),
    ):
        emitter(torch.rand(3, 2), ('row', 'frame'), roi=[4, 4, 6])
        with rows(sample=[7]):
            emitter(torch.rand(1, 2), ('row', 'frame'))
    first, second = records
    assert (first.sample, first.crop, first.window, first.roi) == (
        (0, 0, 1),
        (0, 1, 0),
        (2, 2, 5),
        (4, 4, 6),
    )
    assert (second.sample, second.crop, second.window) == ((7,), None, None)


def test_what_a_module_says_goes_before_what_the_recognizer_says():
    emitter = Emitter()
    axes = ('row', 'frame')
    outer = {'sample': [0, 1], 'crop': [4, 5], 'frames': [[0, 1, 2, 3]] * 2}
    with capture_attention(emitter) as records, attention_rows(**outer):
        emitter(torch.rand(2, 3), axes, crop=[6, 7], frames=[[7, 8, 9], [4, 5, 6]])
        emitter(torch.rand(2, 2), axes, sample=[3, 3])
        emitter(torch.rand(5, 2), axes, sample=[1, 1, 1, 1, 2])
    first, second, third = records
    assert (first.sample, first.crop) == ((0, 1), (6, 7))
    assert first.frames.tolist() == [[7, 8, 9], [4, 5, 6]]
    assert (second.sample, second.crop, second.frames) == ((3, 3), None, None)
    assert (third.sample, third.crop, third.frames) == ((1, 1, 1, 1, 2), None, None)


@pytest.mark.parametrize(
    'maps, axes, rows, error, message',
    [
        ([1.0], ('row',), {}, TypeError, 'expected a tensor as map'),
        (torch.ones(2, 3), ('row',), {}, ValueError, 'expected one name per axis'),
        (torch.ones(2, 3), ('row', 'row'), {}, ValueError, 'each once'),
        (torch.ones(2, 3), ('row', 'time'), {}, ValueError, "'cell_x'.*got .'time'"),
        (torch.ones(2, 3), ('frame', 'row'), {}, ValueError, "'row' as first axis"),
        (torch.tensor(1.0), (), {}, ValueError, "'row' as first axis"),
        (
            torch.ones(2, 3),
            ('row', 'frame'),
            {'sample': [0]},
            ValueError,
            "expected 2 values of 'sample'.*got 1",
        ),
        (
            torch.ones(2, 3),
            ('row', 'frame'),
            {'roi': [0.5, 1.0]},
            TypeError,
            "expected integers in 'roi'",
        ),
        (
            torch.ones(2, 3),
            ('row', 'frame'),
            {'crop': [[0], [1]]},
            ValueError,
            "expected 'crop' with 1 axes",
        ),
        (
            torch.ones(2, 3),
            ('row', 'frame'),
            {'frames': [[0, 1], [2, 3]]},
            ValueError,
            'expected 3 frames per row.*got 2',
        ),
    ],
)
def test_what_a_module_says_is_checked(maps, axes, rows, error, message):
    with pytest.raises(error, match=message):
        record_one(maps, axes, **rows)


def test_what_a_recognizer_says_is_checked():
    emitter = Emitter()
    with capture_attention(emitter):
        with pytest.raises(ValueError, match='of one length'):
            attention_rows(sample=[0, 1], crop=[0])
        with pytest.raises(TypeError, match="expected integers in 'window'"):
            attention_rows(window=[True])
        with (
            attention_rows(sample=[0, 1]),
            pytest.raises(ValueError, match="expected 3 values of 'sample'"),
        ):
            emitter(torch.ones(3, 2), ('row', 'frame'))
        with pytest.raises(ValueError, match=r"'boxes' \(rows, 4\), got shape \(4,\)"):
            attention_rows(boxes=torch.ones(4))
        with attention_rows(frames=[[0, 1, 2, 3]]):
            with pytest.raises(ValueError, match='every n-th of them'):
                emitter(torch.ones(1, 3), ('row', 'frame'))
            with pytest.raises(ValueError, match='every n-th of them'):
                emitter(torch.ones(1, 7), ('row', 'frame'))


def test_capture_and_by_sample_reject_what_they_cannot_use():
    with pytest.raises(TypeError, match='expected a torch module'):
        capture_attention(Emitter).__enter__()
    records = AttentionRecords([record_one(torch.ones(2, 3), ('row', 'frame'))])
    with pytest.raises(ValueError, match="sample indices in the record 'map'"):
        records.by_sample(0)


def captured_by(rank):
    torch.manual_seed(0)
    model = nn.parallel.DistributedDataParallel(Recognizer(chunk=14))
    torch.manual_seed(rank)
    video = torch.rand(2, 7, 5, 3, 11)
    plain = model(video)
    plain.sum().backward()
    with capture_attention(model) as records:
        captured = model(video)
    captured.sum().backward()
    return {
        'names': [record.name for record in records],
        'weights': records[1].map,
        'same': torch.equal(plain, captured),
        'video': video,
    }


@pytest.mark.slow
def test_each_process_captures_its_own(tmp_path):
    processes = in_two_processes(captured_by, tmp_path)
    torch.manual_seed(0)
    model = Recognizer(chunk=14)
    weights = []
    for found in processes:
        assert found['names'] == ['backbone.0.pixels', 'cls_head.frame_weights']
        assert found['same']
        with capture_attention(model, names='cls_head.*') as records:
            model(found['video'])
        torch.testing.assert_close(found['weights'], records[0].map)
        weights.append(found['weights'])
    assert not torch.allclose(*weights)
