"""Models whose truth is known, and curves by hand."""

import numpy as np
import pytest
import torch
from known_models import CELLS, FRAME, FRAMES, LOOKS, KnownModel, known_input

from mmattn.attention.maps import AttentionMap
from mmattn.explain.clips import ScoredClip
from mmattn.explain.faithfulness import (
    Curves,
    FaithfulnessOptions,
    curves_of,
    measure,
)
from mmattn.explain.maps import map_source, redrawn
from mmattn.explain.replacements import Replacer
from mmattn.explain.table import agreements, as_json, finding, table_rows, table_text

# What the maps of each model must be told to do; None where it has no such map.
EXPECTED = {
    'frame': dict(space='no', time='yes', both='yes'),
    'corner': dict(space='yes', time='no', both='yes'),
    'corner of a frame': dict(space='yes', time='yes', both='yes'),
    'nothing': dict(space='no', time='no', both='no'),
}


def results_of(looks, videos=5, **options):
    model = KnownModel(looks)
    settings = FaithfulnessOptions(redraw=False, cells=CELLS, steps=5, randoms=2)
    settings = settings._replace(**options)
    sources = dict(attention=map_source('attention'))
    return [
        measure(
            ScoredClip(model, known_input(seed), class_index=0),
            sources,
            settings,
            number=seed,
        )
        for seed in range(videos)
    ]


@pytest.mark.parametrize(
    'looks, replace', [*((looks, 'mean') for looks in LOOKS), ('corner', 'blur')]
)
def test_the_table_tells_them_apart(looks, replace):
    rows = table_rows(results_of(looks, replace=replace))
    answers = {(row.name, row.over): row.answer for row in rows}
    for over, expected in EXPECTED[looks].items():
        opposite = 'misleads' if expected == 'yes' else 'no'
        for name, wanted in (('truth', expected), ('wrong', opposite)):
            if (name, over) in answers:  # without attention there is no share of frames
                assert answers[name, over].split(',')[0] == wanted, (name, over)
        assert answers['flat', over] == 'no, uniform'
    uniform = {name for (name, _), answer in answers.items() if 'uniform' in answer}
    assert 'flat' in uniform
    text = table_text(rows)
    assert text.count('\n') == len(rows) + 1
    said = finding(rows)
    if looks == 'nothing':
        assert said == 'No map explains the model better than chance.'
    else:
        assert 'truth over' in said
        assert 'wrong over' in said.partition('Mislead')[2]


def test_without_sets_there_is_no_sensitivity():
    rows = table_rows(results_of('frame', videos=2, sets=0, replace='mean'))
    assert all(np.isnan(row.sensitivity) for row in rows)
    truth = next(row for row in rows if (row.name, row.over) == ('truth', 'time'))
    assert truth.deletion.mean < truth.insertion.mean - 0.2


def test_curves_by_hand():
    """The score is the brightness of one frame of six; each step takes one."""
    model = KnownModel('frame')
    inputs = torch.zeros(1, 3, FRAMES, 28, 28, dtype=torch.uint8)
    inputs[:, :, FRAME] = 255
    clip = ScoredClip(model, known_input(0, inputs), class_index=0)
    assert clip.score == 1
    gone = 42 / 255  # the mean color, 255 / 6 rounded down to an even number
    rng, replacer = np.random.default_rng(0), Replacer(clip.frames, 'mean')
    values = np.array([5, 4, 3, 2, 9, 1])
    first = curves_of(clip, replacer, values, FRAMES, rng)
    assert first.shares == pytest.approx(np.arange(7) / 6)
    assert first.deletion == pytest.approx([1] + [gone] * 6)
    assert first.insertion == pytest.approx([gone] + [1] * 6)
    assert first.deletion_area == pytest.approx(gone + (1 - gone) / 12)
    assert first.gain == pytest.approx((1 - gone) * 10 / 12)
    values[FRAME] = 2.5  # the fourth to go
    later = curves_of(clip, replacer, values, FRAMES, rng)
    assert later.deletion == pytest.approx([1, 1, 1, 1, gone, gone, gone])


def test_sensitivity_of_the_truth_and_of_its_opposite():
    (result, *_) = results_of('corner', videos=1, overs=('space',), replace='mean')
    assert result.maps['space', 'truth'].sensitivity > 0.9
    assert result.maps['space', 'wrong'].sensitivity < -0.9
    assert np.isnan(result.maps['space', 'flat'].sensitivity)
    found = agreements([result], 'space')
    assert found['truth', 'wrong'] == pytest.approx(-1)
    assert np.isnan(found['truth', 'flat'])


def test_a_clip_of_one_frame_has_no_time():
    model = KnownModel('corner')
    model.maps = {name: maps[:1] for name, maps in model.maps.items()}
    model.seen = model.seen[:1]
    seen = known_input(0)
    seen.item['inputs'] = seen.item['inputs'][:, :, :1].contiguous()
    clip = ScoredClip(model, seen._replace(numbers=np.array([[3]])), class_index=0)
    sources = dict(attention=map_source('attention'))
    result = measure(clip, sources, FaithfulnessOptions(redraw=False))
    assert {over for over, _ in result.maps} == {'space'}


def test_one_video_is_too_few():
    rows = table_rows(results_of('corner', videos=1))
    assert {row.answer.split(',')[0] for row in rows} == {'', 'no', 'too few videos'}
    assert finding(rows) == 'Of one video no map can be judged: give more.'
    with pytest.raises(ValueError, match='one or more to explain, got none'):
        table_rows([])


def test_json_holds_no_nan():
    results = results_of('frame', steps=2, randoms=1)
    content = as_json(results, table_rows(results))
    first = content['videos'][0]['maps'][0]
    assert first['name'] == 'center'
    assert len(first['deletion']) == 3

    def walk(node):
        if isinstance(node, dict):
            node = list(node.values())
        if isinstance(node, list):
            return [x for inner in node for x in walk(inner)]
        return [node]

    numbers = [x for x in walk(content) if isinstance(x, float)]
    assert numbers
    assert np.isfinite(numbers).all()


def test_redrawn_weights():
    parts = dict(backbone=torch.nn.Linear(50, 70), cls_head=torch.nn.Linear(70, 1))
    model = torch.nn.ModuleDict(parts)
    kept = {name: w.clone() for name, w in model.named_parameters()}
    other = redrawn(model, 'all', seed=3)
    for name, weights in other.named_parameters():
        assert not torch.equal(weights, kept[name])
        assert torch.equal(model.get_parameter(name), kept[name])
    weights = other['backbone'].weight.detach()
    assert weights.std() == pytest.approx(kept['backbone.weight'].std().item(), rel=0.1)
    again = redrawn(model, 'all', seed=3)
    assert torch.equal(again['backbone'].weight, weights)
    with pytest.raises(ValueError, match=r"redrawn: expected one of .* got 'neck'"):
        redrawn(model, 'neck')


def test_a_map_that_ignores_the_weights_is_seen():
    """The maps of these models are constants: weights do not matter to them."""
    (result, *_) = results_of('corner', videos=1, redraw=True, overs=('space',))
    found = result.maps['space', 'truth'].redrawn
    assert found == pytest.approx(dict(head=1, all=1))


@pytest.mark.parametrize(
    'change, message',
    [
        (dict(overs=('frames',)), "over: expected one of .* got 'frames'"),
        (dict(replace='gray'), "replace: expected one of .* got 'gray'"),
        (dict(steps=0), 'steps: expected at least 1, got 0'),
        (dict(randoms=0), 'randoms: expected at least 1, got 0'),
        (dict(sets=-1), 'sets: expected at least 0, got -1'),
    ],
)
def test_bad_options(change, message):
    with pytest.raises(ValueError, match=message):
        results_of('corner', **change)


def test_two_maps_of_one_name_are_refused():
    clip = ScoredClip(KnownModel('corner'), known_input(0), class_index=0)
    attention = AttentionMap('truth', clip.numbers, None, np.ones(FRAMES) / FRAMES)
    sources = dict(a=map_source('attention'), b=lambda _: [attention])
    with pytest.raises(ValueError, match="maps: expected different names, got 'truth'"):
        measure(clip, sources, FaithfulnessOptions(redraw=False))


def test_gain_of_a_flat_curve_is_zero():
    shares = np.linspace(0, 1, 4)
    assert Curves(shares, np.full(4, 0.3), np.full(4, 0.3)).gain == pytest.approx(0)
