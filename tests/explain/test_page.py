"""The page of an explanation: what stands in it, and that names run nothing."""

import json
import re

import numpy as np
import pytest
from browser import check_policy, needs_browser, printed, seen_in
from known_models import KnownModel, known_input

from mmattn.explain.clips import ScoredClip
from mmattn.explain.faithfulness import FaithfulnessOptions, measure
from mmattn.explain.maps import map_source
from mmattn.explain.page import Shown, shown_frames, write_page
from mmattn.explain.table import finding, table_rows
from mmattn.utils.arrays import evenly
from mmattn.visualization.templates import held_json

NASTY = '</script><img src=x onerror=alert(1)>"\'\n.mp4'


def write(folder, videos):
    options = FaithfulnessOptions(steps=2, randoms=1, redraw=False, cells=3)
    sources = dict(attention=map_source('attention'))
    clips = [
        ScoredClip(KnownModel('frame'), known_input(k), class_index=0)
        for k in range(videos)
    ]
    results = [
        measure(clip, sources, options, name=NASTY, number=k)
        for k, clip in enumerate(clips)
    ]
    rows = table_rows(results)
    shown = [shown_frames(clip, folder, NASTY) for clip in clips]
    path = write_page(
        folder / 'index.html', results, rows, shown, settings=NASTY, broken=[NASTY]
    )
    return path, results, rows


@pytest.fixture
def page(tmp_path):
    path, results, rows = write(tmp_path, 2)
    return path.read_text(encoding='utf-8'), results, rows


@needs_browser
def test_print_shows_every_frame(tmp_path):
    """Also of videos that never came into view."""
    path, _, _ = write(tmp_path, 2)
    far = 'id="cards" style="padding-top: 900cm"'
    path.write_text(path.read_text('utf-8').replace('id="cards"', far), 'utf-8')
    pdf = printed(path, tmp_path / 'page.pdf')
    assert pdf.count(b'/DCTDecode') == 2 * 4  # the jpegs as they are


@needs_browser
def test_cover_takes_away_the_highest_cells(tmp_path):
    path, results, _ = write(tmp_path, 1)
    found = seen_in(
        path,
        """
        const covered = () => cards[0].frames.map(({ cover }) => {
          const data = cover.getContext('2d')
            .getImageData(0, 0, cover.width, cover.height).data;
          return [...data].filter((_, k) => k % 4 === 3).map((alpha) => alpha === 255);
        });
        const at = (map, kind, share) => {
          byId('map').value = map; byId('kind').value = kind;
          byId('share').value = share; byId('share').oninput();
          return [covered(), byId('percent').value, cards[0].note.textContent];
        };
        const map = 'truth over both';
        cards[0].near = true;
        return [at(map, 'deletion', 0), at(map, 'deletion', 20),
          at(map, 'insertion', 20), at(map, 'deletion', 100)];
        """,
    )
    values = results[0].maps['both', 'truth'].values[evenly(6, 4)].reshape(4, -1)
    none, some, others, everything = (np.array(covered) for covered, *_ in found)
    assert not none.any()
    assert everything.all()
    assert np.array_equal(others, ~some)
    assert 0 < some.sum() < 0.5 * some.size
    assert values[some].min() >= values[~some].max()
    curve = results[0].maps['both', 'truth'].curves.deletion
    notes = [note for *_, note in found]
    assert notes[0] == f'score {curve[0]:.3f}'
    assert notes[3] == f'score {curve[-1]:.3f}'


@needs_browser
def test_covers_only_what_is_near_the_view_or_printed(tmp_path):
    path, _, _ = write(tmp_path, 1)
    found = seen_in(
        path,
        """
        const width = () => cards[0].frames[0].cover.width, widths = [];
        cards[0].near = false;
        for (const event of [() => byId('share').oninput(),
            () => dispatchEvent(new Event('beforeprint'))]) {
          cards[0].frames[0].cover.width = 1;
          event();
          widths.push(width());
        }
        return [widths, chosen(cards[0]).grid[1]];
        """,
    )
    assert found == [[1, found[1]], found[1]]
    assert found[1] > 1


@needs_browser
def test_opens_on_a_map_of_the_model(tmp_path):
    path, _, _ = write(tmp_path, 1)
    found = seen_in(path, "return [names[0], byId('map').value];")
    assert found == ['center over space', 'truth over space']


@needs_browser
def test_nothing_is_wider_than_a_phone(tmp_path):
    path, _, _ = write(tmp_path, 1)
    found = seen_in(
        path,
        """
        document.body.style.width = '390px';
        byId('map').add(new Option('long_'.repeat(40)));
        document.querySelector('.legend li').append('long'.repeat(40));
        for (const { image } of cards[0].frames) image.width = image.height = 320;
        const inside = document.body.getBoundingClientRect();
        return [...document.querySelectorAll('main *')]
          .filter((node) => !node.closest('.scroll'))
          .filter((node) => node.getBoundingClientRect().right > inside.right)
          .map((node) => node.outerHTML.slice(0, 80));
        """,
    )
    assert found == []


def test_names_of_maps_break_at_their_dots(tmp_path):
    _, _, rows = write(tmp_path, 1)
    rows = [row._replace(name='head.a_<b>') for row in rows]
    path = write_page(tmp_path / 'named.html', [], rows, [], settings='')
    assert path.read_text('utf-8').count('>head.<wbr>a_<wbr>&lt;b&gt;<') == len(rows)


def test_names_run_nothing(page):
    text, _, _ = page
    check_policy(text)
    assert text.count('</script>') == 3  # of two videos and of the page's own script


def test_the_page_holds_the_stored_scores(page):
    text, results, rows = page
    held = re.findall(r'class="video">(.*?)</script>', text, re.S)
    videos = [json.loads(one) for one in held]
    assert [video['name'] for video in videos] == [NASTY] * 2
    for video, result in zip(videos, results, strict=True):
        assert video['score'] == pytest.approx(result.score)
        maps = {one['key']: one for one in video['maps']}
        truth, found = maps['truth over time'], result.maps['time', 'truth']
        np.testing.assert_allclose(truth['deletion'], found.curves.deletion, atol=1e-4)
        assert truth['grid'] == [1, 1]
        order = [one[0] for one in truth['ranks']]
        assert len(order) == len(video['images']) == 4
        cells = maps['truth over both']
        assert len(cells['ranks'][0]) == np.prod(cells['grid'])
        # the first to go is the cell of the largest value
        values = result.maps['both', 'truth'].values
        assert min(min(one) for one in cells['ranks']) >= 0
        assert values.shape[1:] == tuple(cells['grid'])
    assert finding(rows) in text.replace('&#39;', "'")
    assert text.count('<polyline') == 3 * 2 * (3 + 2)


def test_held_json():
    assert json.loads(held_json(dict(a='</script>'))) == dict(a='</script>')
    with pytest.raises(ValueError, match='Out of range'):
        held_json(float('nan'))


def test_frames_that_cannot_be_read_whole_are_the_networks(tmp_path):
    clip = ScoredClip(KnownModel('frame'), known_input(0), class_index=0)
    shown = shown_frames(clip, tmp_path, 'run')
    assert isinstance(shown, Shown)
    assert shown.box == (0, 0, 1, 1)
    assert list(shown.pictures) == [0, 4, 6, 10]
