"""Every page has one look, loads nothing, and runs no name of a file or class."""

import html
import json
import re
from pathlib import Path

import numpy as np
import pytest
from browser import check_policy

from mmattn.comparison.result import Comparison, Row
from mmattn.comparison.statistics import Difference
from mmattn.visualization import templates
from mmattn.visualization.attention_page import AttentionPage, model_entry
from mmattn.visualization.report_page import (
    ClassRow,
    ShownClip,
    VideoRow,
    report_page,
)

PAGES = Path(templates.__file__).parent / 'pages'
NASTY = '</script><img src=x onerror=alert(1)>"\'\n.mp4'
FRAMES = {k: np.full((24, 32, 3), 40 * k, dtype=np.uint8) for k in range(3)}


def attention(folder):
    path = folder / 'index.html'
    entry = model_entry(NASTY, FRAMES, [], [(NASTY, 0.9)], outcome=NASTY)
    with AttentionPage(path, title=NASTY) as page:
        page.add(NASTY, [entry])
        page.add_broken(NASTY, NASTY)
    return path.read_text('utf-8')


def report(_):
    return report_page(
        title=NASTY,
        figures=dict(top1=0.25, top5=1.0, mean_class=0.5),
        num_videos=4,
        confusion='',
        classes=[ClassRow(NASTY, 4, 0.25, NASTY, 3)],
        videos=[VideoRow(NASTY, NASTY, NASTY, 0.1, 0.8, ['abc'], NASTY)],
        notes=[NASTY],
        shown=[ShownClip(NASTY, NASTY, 'abc')],
    )


def comparison(folder):
    gain = Difference(0.1, 0.02, 0.06, 0.14, num_groups=4)
    row = Row(NASTY, NASTY, gain, gain, gain, [0.25, -0.5])
    found = Comparison(rows=[row], classes=[NASTY, 'hop'])
    return found.save(folder)[2].read_text('utf-8')


@pytest.mark.parametrize('write', [attention, report, comparison])
def test_names_run_nothing(write, tmp_path):
    text = write(tmp_path)
    check_policy(text)
    assert (PAGES / 'style.css').read_text().splitlines()[1] in text


def test_every_template_has_the_base():
    templates = sorted(PAGES.glob('*.html'))
    assert len(templates) == 5
    for template in templates:
        extends = template.read_text().startswith("{% extends 'base.html' %}")
        assert extends == (template.name != 'base.html')


def test_a_video_is_chosen_by_its_middle_frame_and_outcome(tmp_path):
    text = attention(tmp_path)
    (found,) = re.findall(r'data-found="([^"]*)" data-picture="([^"]*)"', text)
    assert html.unescape(found[0]) == NASTY
    held = re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', text)
    (video,) = [json.loads(one) for one in held if 'models' in json.loads(one)]
    assert video['models'][0]['images'][1] == found[1]  # not larger than 160 pixels


def test_figures_of_a_report(tmp_path):
    text = report(tmp_path)
    assert '4 videos: top-1 25.0 %, top-5 100.0 %, mean class 50.0 %' in text
    assert '<div style="width: 25.0%"></div>' in text
    assert f'{NASTY} (3)' in html.unescape(text)


def test_gains_of_a_comparison(tmp_path):
    text = comparison(tmp_path)
    assert re.findall(r'<td class="n">([+-]\d+\.\d)</td>', text) == ['+25.0', '-50.0']
