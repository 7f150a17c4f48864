"""Twins, folds, the table, and what the command prints."""

import csv
import math
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from mmattn.comparison import training
from mmattn.comparison.clips import read_clips
from mmattn.comparison.compare import compare, compare_dumps, compare_stored
from mmattn.comparison.stored import (
    StoredClips,
    Trunk,
    build_trunk,
    clip_maps,
    store_clips,
)
from mmattn.comparison.systems import ARMS, SYSTEMS, StoredModel
from mmattn.comparison.training import (
    RECIPES,
    Choice,
    Recipe,
    fit,
    folds_of,
    model_inputs,
    num_searched,
    probabilities,
    scaled,
    searched,
    shapes_of,
)
from mmattn.synthetic.writer import write_video

N, T, C, SIDE = 40, 30, 24, 3
SHORT = Recipe(updates=3, batch_size=8)


@pytest.fixture
def short_search(monkeypatch):
    """Let a search try recipes of few updates."""
    recipes = (SHORT, replace(SHORT, lr=1e-2))
    monkeypatch.setattr(training, 'RECIPES', recipes)


def stored(num_clips=N, *, signal=8.0, grouped=True, seed=0):
    """Clips of two classes that one frame of noisy ones shows, at a marked place."""
    rng = torch.Generator().manual_seed(seed)
    labels = torch.arange(num_clips) % 2
    top = torch.randn(num_clips, T, C, SIDE, SIDE, generator=rng)
    shown = torch.randint(0, T, (num_clips,), generator=rng)
    for k in range(num_clips):
        top[k, shown[k], 0] += signal
        top[k, shown[k], 1 + labels[k]] += signal
    low = torch.randn(num_clips, T, 5, SIDE, SIDE, generator=rng)
    groups = torch.arange(num_clips) // 4 if grouped else torch.arange(num_clips)
    names = [f'{k}.mp4' for k in range(num_clips)]
    return StoredClips(
        (low.half(), top.half()), labels, groups, ['x', 'y'], names, grouped
    )


@pytest.mark.parametrize('grouped', [True, False])
def test_folds(grouped):
    data = stored(grouped=grouped)
    folds = folds_of(data)
    assert np.array_equal(np.unique(folds), np.arange(5))
    assert np.bincount(folds).max() - np.bincount(folds).min() <= 4
    for group in data.groups.unique():
        assert len(set(folds[data.groups.numpy() == group.item()])) == 1
    if not grouped:
        assert (np.bincount(folds[data.labels.numpy() == 0]) == 4).all()


def test_inputs_are_spaced_over_the_stored_frames():
    data = stored()
    (means,) = model_inputs(data, SYSTEMS['temporal_lstm'])
    top = data.maps[-1].float()
    torch.testing.assert_close(means[..., 0, 0], top.mean(dim=(3, 4)))
    maps = model_inputs(data, SYSTEMS['convlstm'])
    assert [x.shape[1:3] for x in maps] == [(8, 5), (8, C)]
    chosen = [1, 5, 9, 13, 16, 20, 24, 28]
    assert torch.equal(maps[1], top[:, chosen])
    low, high = model_inputs(data, SYSTEMS['pyramid'])
    assert low.shape[2:] == (5, 2, 2)
    torch.testing.assert_close(high[..., 0, 0], top[..., :2, :2].mean(dim=(3, 4)))


@pytest.mark.parametrize('name', [name for name in SYSTEMS if name != 'none'])
def test_a_system_differs_from_its_twin_in_the_attention_alone(name):
    data, system = stored(6), SYSTEMS[name]
    models = {}
    for arm in ARMS:
        torch.manual_seed(0)
        models[arm] = StoredModel(system, shapes_of(data, system), arm)
    maps = model_inputs(data, system)
    names = {arm: set(dict(m.named_parameters())) for arm, m in models.items()}
    assert names['twin'] <= names['paper']
    assert names['tuned twin'] <= names['tuned']
    inputs, _ = scaled(system, maps, maps)
    for arm, model in models.items():
        found = model(inputs)
        assert found.shape == (6, 2)
        torch.testing.assert_close(found.sum(1), torch.ones(6))
        model.train().loss(inputs, data.labels).backward()
        grads = [p.grad for p in model.parameters() if p.grad is not None]
        assert grads, arm
        assert all(g.isfinite().all() for g in grads)


def test_channels_are_scaled_by_the_training_clips():
    data, system = stored(), SYSTEMS['none']
    (x,) = model_inputs(data, system)
    (known,), (unknown,) = scaled(system, (x[:30],), (x[30:],))
    std, mean = torch.std_mean(known, dim=(0, 1, 3, 4))
    torch.testing.assert_close(mean, torch.zeros(C), atol=1e-5, rtol=0)
    assert (std > 0.85).all()
    assert (std < 1).all()
    ratio = (known[0, 1] - known[0, 0]) / (x[0, 1] - x[0, 0])
    torch.testing.assert_close(
        unknown[0, 1] - unknown[0, 0], ratio * (x[30, 1] - x[30, 0])
    )


def test_principal_components_keep_distances(monkeypatch):
    data, system = stored(), SYSTEMS['convlstm']
    maps = model_inputs(data, system)
    (_, known), _ = scaled(system, maps, maps)
    whole = torch.cdist(known[0].flatten(1), known[1].flatten(1))
    assert known.mean(dim=(3, 4)).square().mean().sqrt() == pytest.approx(1)
    (plain,), _ = scaled(replace(system, pooled=True), maps[1:], maps[1:])
    expected = torch.cdist(plain[0].flatten(1), plain[1].flatten(1))
    ratio = whole / expected
    torch.testing.assert_close(ratio, ratio.mean().expand_as(ratio))
    monkeypatch.setattr(training, 'COMPONENTS', 5)
    (_, fewer), _ = scaled(system, maps, maps)
    assert fewer.shape[2] == 5
    assert shapes_of(data, system).channels == (5, 5)


@pytest.mark.slow
def test_attention_wins_where_one_frame_decides(monkeypatch):
    recipe = Recipe(lr=1e-2, updates=25)
    monkeypatch.setattr(training, 'RECIPES', (recipe,))
    found = compare_stored(
        stored(48), ['none', 'temporal_lstm'], seeds=1, forms=['tuned'], recipe=recipe,
        progress=False,
    )  # fmt: skip
    none, row = found.rows
    assert none.gain is None
    assert row.gain.measured
    assert row.gain.mean > 0.1
    assert row.gain.mean == pytest.approx(row.accuracy.mean - row.twin.mean)
    assert np.mean(row.by_class) == pytest.approx(row.gain.mean)
    assert f'gains {100 * row.gain.mean:.1f} %' in found.table()


@pytest.mark.usefixtures('short_search')
@pytest.mark.slow
def test_self_attention_wins_where_one_place_of_each_frame_decides(monkeypatch):
    """All places show one of the classes; a marked one shows that of the clip."""
    torch.manual_seed(0)
    data, top = stored(48), torch.randn(48, T, C, 9)
    frames, places = torch.arange(T), torch.randint(0, 9, (48, T))
    for k, label in enumerate(data.labels):
        shown = torch.randint(0, 2, (T, 9))
        shown[frames, places[k]] = label
        top[k, frames[:, None], 1 + shown, torch.arange(9)] += 1
        top[k, frames, 0, places[k]] += 8
    data.maps = (data.maps[0], top.unflatten(3, (3, 3)).half())
    recipe = Recipe(lr=1e-2, updates=40)
    monkeypatch.setattr(training, 'RECIPES', (recipe,))
    (row,) = compare_stored(
        data, ['slowfast_attn'], seeds=2, forms=['tuned'], progress=False
    ).rows
    assert row.gain.low > 0
    assert row.accuracy.mean > row.twin.mean + 0.1


def test_nothing_is_claimed_of_noise():
    found = compare_stored(
        stored(12, signal=0.0), ['temporal_lstm'], seeds=1, recipe=SHORT, progress=False
    )
    assert not any(row.gain.measured for row in found.rows)
    assert 'no difference can be measured with 12 clips' in found.table()


@pytest.mark.usefixtures('short_search')
def test_same_seeds_same_numbers_and_search():
    tables = [
        [row.gain for row in compare_stored(
            stored(16), ['pyramid'], seeds=1, recipe=SHORT, search=True, progress=False
        ).rows]
        for _ in range(2)
    ]  # fmt: skip
    assert tables[0] == tables[1]


def test_a_recipe_is_chosen_inside_of_the_training_clips(monkeypatch):
    """The held-out clips of the four groups are foreseen best by the last recipe."""
    data, system = stored(16), SYSTEMS['none']
    inputs, labels = model_inputs(data, system), data.labels
    seen, held, done = [], [], []

    def fake_fit(system, arm, shapes, known, labels, recipe, seed):
        seen.append((len(labels), recipe.lr, seed))
        return recipe.lr

    def fake_probabilities(rate, unknown):
        held.append(unknown[0])
        right = 0.9 if rate == RECIPES[-1].lr else 0.4
        rows = torch.full((len(unknown[0]), 2), 1 - right)
        clips = [
            next(k for k, y in enumerate(inputs[0]) if torch.equal(x, y))
            for x in unknown[0]
        ]
        rows[torch.arange(len(rows)), labels[clips]] = right
        return rows

    monkeypatch.setattr(training, 'fit', fake_fit)
    monkeypatch.setattr(training, 'probabilities', fake_probabilities)
    shapes = shapes_of(data, system)
    groups = data.groups.numpy()
    found = searched(
        system, 'tuned', shapes, inputs, labels, groups, done=lambda: done.append(1)
    )
    assert found.recipe == RECIPES[-1]
    assert found.right == pytest.approx(np.ones(16))
    assert seen == [
        (12, recipe.lr, seed)
        for _ in range(4)
        for recipe in RECIPES
        for seed in range(3)
    ]
    assert len(seen) == num_searched(groups) == len(done)
    assert torch.equal(
        torch.cat(held[::6]).flatten(1).sum(1).sort().values,
        inputs[0].flatten(1).sum(1).sort().values,
    )
    one = searched(system, 'tuned', shapes, inputs, labels, groups * 0)
    assert one.recipe == Recipe()
    assert one.right is None


def test_reported_clips_choose_nothing(monkeypatch):
    """Only the tuned form searches, and among clips of other groups than the test."""
    data, searches = stored(20), []

    def spy(system, arm, shapes, inputs, labels, groups, **rest):
        searches.append((arm, set(groups.tolist()), len(labels)))
        return Choice(SHORT)

    monkeypatch.setattr('mmattn.comparison.compare.searched', spy)
    compare_stored(data, ['pyramid'], seeds=1, recipe=SHORT, progress=False)
    assert [arm for arm, _, _ in searches] == ['tuned twin', 'tuned'] * 5
    for _, groups, count in searches:
        assert len(groups) == 4
        assert count == 16
    searches.clear()
    compare_stored(data, ['pyramid'], seeds=1, search=True, progress=False)
    assert len(searches) == 20


@pytest.mark.parametrize(
    ('changed', 'kept'),
    [
        ({}, 0),
        ({0: -1}, 0),
        ({0: 1, 1: 1, 4: -1}, 0),  # more by 1/16, with an error of 0.14
        ({0: 1, 1: 1, 2: 1, 3: 1, 4: 1}, 5),  # 5/16, 0.24
        (None, 5),
    ],
    ids=str,
)
def test_the_twin_stands_for_attention_that_does_not_pay(changed, kept, monkeypatch):
    """It does where attention is not right more often in training by over one error."""

    def search(system, arm, shapes, inputs, labels, groups, **rest):
        right = np.full(16, 0.5)
        if arm == 'tuned' and changed:
            right[list(changed)] += list(changed.values())
        return Choice(SHORT, None if changed is None else right)

    monkeypatch.setattr('mmattn.comparison.compare.searched', search)
    found = compare_stored(
        stored(20, signal=2), ['temporal_lstm'], seeds=2, recipe=SHORT, progress=False
    )
    paper, tuned = found.rows
    assert paper.kept is None
    assert tuned.kept == (kept, 5)
    assert f'| {kept} of 5 |' in found.table()
    assert tuned.always.error > 0
    assert (tuned.always == tuned.gain) == bool(kept)
    same = tuned.accuracy == tuned.twin and tuned.gain.error == 0
    assert same == (not kept)
    assert ('in no fold do the training clips speak' in found.table()) == same
    assert tuned.cost.parameters > tuned.twin_cost.parameters


def test_shuffled_labels_have_no_difference():
    """A network that learns well is not said to gain on labels without meaning."""
    data = stored(40)
    order = torch.randperm(40, generator=torch.Generator().manual_seed(0))
    data.labels = data.labels[order]
    found = compare_stored(
        data, ['pyramid'], seeds=1, forms=['paper'], progress=False,
        recipe=Recipe(lr=1e-2, updates=25),
    )  # fmt: skip
    assert found.sentences() == [
        'pyramid paper: no difference can be measured with 40 clips.'
    ]


@pytest.mark.usefixtures('short_search')
def test_files(tmp_path):
    found = compare_stored(
        stored(12), ['none', 'pyramid'], seeds=1, recipe=SHORT, progress=False
    )
    table, markdown, page = found.save(tmp_path / 'out')
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert [row['system'] for row in rows] == ['none', 'pyramid', 'pyramid']
    assert [row['form'] for row in rows] == ['', 'paper', 'tuned']
    gain = found.rows[1].gain
    assert float(rows[1]['gain']) == pytest.approx(100 * gain.mean, abs=1e-3)
    assert markdown.read_text() == found.table() + '\n'
    assert '<td>pyramid</td>' in page.read_text()


def test_forms_of_the_convlstm():
    data, system = stored(6), SYSTEMS['convlstm']
    shapes = shapes_of(data, system)
    models = {arm: StoredModel(system, shapes, arm) for arm in ARMS}
    layers = {arm: model.head.recurrence for arm, model in models.items()}
    assert [layer.pooled for layer in layers.values()] == [False, False, True, True]
    widths = {arm: layer.hidden_channels for arm, layer in layers.items()}
    assert widths == {'twin': 16, 'paper': 16, 'tuned twin': 32, 'tuned': 32}
    maps = torch.randn(2, 8, C, SIDE, SIDE)
    shuffled = maps.flatten(3)[..., torch.randperm(SIDE**2)].view_as(maps)
    for arm in ('tuned twin', 'tuned'):  # no place is another's neighbor
        torch.testing.assert_close(models[arm]((shuffled,)), models[arm]((maps,)))
    means = maps.mean(dim=(3, 4), keepdim=True).expand_as(maps)
    twin = models['tuned twin']
    torch.testing.assert_close(twin((means,)), twin((maps,)))
    assert not torch.allclose(models['tuned']((means,)), models['tuned']((maps,)))


@pytest.mark.slow
def test_convlstm_attention_finds_the_place_that_tells_the_class():
    """Four places of a frame show a class, the marked one that of the clip."""
    num_clips, system = 80, SYSTEMS['convlstm']
    data = stored(num_clips, signal=0)
    rng = torch.Generator().manual_seed(0)
    shown = torch.randint(0, 2, (num_clips, T, 4), generator=rng)
    shown[:, :, 0] = data.labels[:, None]
    top = data.maps[-1].float().flatten(3)  # (N, T, C, places)
    top[:, :, 1:3, :4] += 6 * F.one_hot(shown, 2).transpose(2, 3)
    top[:, :, 0, 0] += 6
    places = torch.rand(num_clips, T, 1, SIDE**2, generator=rng).argsort(3)
    top = top.gather(3, places.expand_as(top)).unflatten(3, (SIDE, SIDE))
    data.maps = (data.maps[0], top.half())
    maps, shapes = model_inputs(data, system), shapes_of(data, system)
    known, unknown = scaled(
        system, tuple(x[:40] for x in maps), tuple(x[40:] for x in maps)
    )
    found = {}
    for arm in ('tuned twin', 'tuned'):
        model = fit(system, arm, shapes, known, data.labels[:40], Recipe(lr=1e-2), 0)
        right = probabilities(model, unknown).argmax(1) == data.labels[40:]
        found[arm] = right.float().mean().item()
    assert found['tuned'] >= 0.95, found
    assert found['tuned twin'] < 0.85, found


def test_options_are_checked():
    with pytest.raises(ValueError, match='systems: expected one of'):
        compare('nowhere', ['resnet'])
    with pytest.raises(ValueError, match='forms: expected one of'):
        compare('nowhere', ['none'], forms=['best'])
    with pytest.raises(ValueError, match='seeds and systems: expected one or more'):
        compare('nowhere', ['none'], seeds=0)


@pytest.fixture
def videos(tmp_path):
    rows = ['path,label,group']
    for k in range(4):
        frames = np.full((7, 32, 48, 3), 60 * k, np.uint8)
        write_video(tmp_path / f'{k}.mp4', frames, fps=10)
        rows.append(f'{k}.mp4,{"xy"[k % 2]},g{k // 2}')
    (tmp_path / 'labels.csv').write_text('\n'.join(rows) + '\n')
    return tmp_path


TRUNK = Trunk(
    backbone=dict(type='mmattn.VGG', depth=11, base_channels=4, out=('conv2', 'conv4')),
    size=32,
    num_frames=5,
)


def test_maps_are_computed_once(videos, monkeypatch):
    clips = read_clips(videos)
    torch.manual_seed(0)
    data = store_clips(clips, videos / 'out', trunk=TRUNK, progress=False)
    assert [tuple(x.shape) for x in data.maps] == [(4, 5, 8, 4, 4), (4, 5, 32, 4, 4)]
    assert data.labels.tolist() == [0, 1, 0, 1]
    assert data.groups.tolist() == [0, 0, 1, 1]

    def refuse(*args):
        raise AssertionError('computed again')

    monkeypatch.setattr('mmattn.comparison.stored.build_trunk', refuse)
    monkeypatch.setattr('mmattn.comparison.stored.write_json', refuse)
    again = store_clips(clips, videos / 'out', trunk=TRUNK, progress=False)
    assert all(map(torch.equal, data.maps, again.maps))
    frames = np.zeros((7, 32, 48, 3), np.uint8)
    write_video(videos / '3.mp4', frames, fps=10)
    with pytest.raises(AssertionError, match='computed again'):
        store_clips(clips, videos / 'out', trunk=TRUNK, progress=False)


@pytest.mark.usefixtures('short_search')
def test_whole_comparison(videos):
    found = compare(
        videos, ['none'], seeds=1, out=videos / 'out', trunk=TRUNK, recipe=SHORT,
        progress=False,
    )  # fmt: skip
    assert found.num_clips == 4
    assert found.num_groups == 2
    assert '4 clips, 2 groups, 2 classes' in found.table()


def dump(path, predicted, labels):
    samples = [
        dict(
            pred_score=torch.eye(3)[p],
            gt_label=torch.tensor([label]),
            video_id=f'v{k}',
        )
        for k, (p, label) in enumerate(zip(predicted, labels, strict=True))
    ]
    path.write_bytes(pickle.dumps(samples))
    return path


def test_two_dumps(tmp_path):
    labels = [0, 1, 2, 0, 1, 2]
    first = dump(tmp_path / 'a.pkl', [0, 0, 0, 0, 0, 0], labels)
    second = dump(tmp_path / 'b.pkl', [0, 1, 2, 0, 0, 0], labels)
    (row,) = compare_dumps(first, second).rows
    assert row.gain.mean == pytest.approx(2 / 6)
    assert row.by_class == [0, 0.5, 0.5]
    assert math.isclose(row.twin.mean, 1 / 3)
    other = dump(tmp_path / 'c.pkl', [0] * 5, labels[:5])
    with pytest.raises(ValueError, match='expected the same videos'):
        compare_dumps(first, other)


@pytest.mark.usefixtures('short_search')
def test_other_numbers_of_frames_and_channel_orders(videos):
    """BGR frames through a network are RGB frames through its mirrored weights."""
    clips = read_clips(videos)[:2]
    net = build_trunk(TRUNK)
    maps = clip_maps(net, TRUNK, clips[1].path)
    assert maps[-1].shape[0] == 5
    with torch.no_grad():
        first = next(p for p in net.parameters() if p.dim() == 4)
        first.copy_(first.flip(1))
    mirrored = clip_maps(net, replace(TRUNK, reversed_channels=True), clips[1].path)
    torch.testing.assert_close(mirrored[-1], maps[-1], rtol=1e-2, atol=1e-2)
    data = store_clips(read_clips(videos), videos / 'out', trunk=TRUNK, progress=False)
    found = compare_stored(
        data, ['temporal_lstm'], seeds=1, recipe=SHORT, search=True, progress=False
    )
    assert len(found.rows) == 2


def test_one_group_is_refused():
    data = stored(8)
    data.groups[:] = 0
    with pytest.raises(ValueError, match='group: expected two or more, got 1'):
        folds_of(data)
