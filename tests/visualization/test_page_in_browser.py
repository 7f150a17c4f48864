"""The page of attention in a browser: keys, labels, names, and fifty videos."""

import numpy as np
from browser import needs_browser, seen_in

from mmattn.attention.maps import AttentionMap
from mmattn.visualization.attention_page import AttentionPage, model_entry

pytestmark = needs_browser
NASTY = '<img src=x onerror="document.title=1">\'\n</script><b>.mp4'
FRAMES = 8
# Shown elements that take the focus, and have neither text nor label nor aria-label.
NAMELESS = """[...document.querySelectorAll('button, input, select, canvas[role]')]
  .filter((x) => !x.closest('[hidden]'))
  .filter((x) => ![x.ariaLabel, x.labels?.[0]?.textContent, x.textContent]
    .some((name) => name?.trim()))
  .map((x) => x.outerHTML)"""


def write_page(path, videos):
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (FRAMES, 240, 320, 3)).astype(np.uint8)
    frames = {7 * k: frame for k, frame in enumerate(noise)}
    heat = rng.random((FRAMES, 7, 7))
    weights = np.full(FRAMES, 1 / FRAMES)
    maps = [AttentionMap(NASTY, np.array(list(frames)), heat, weights)]
    with AttentionPage(path, title=NASTY) as page:
        for k in range(videos):
            entry = model_entry('m', frames, maps, [(NASTY, 0.5)], outcome=f'is {k}')
            page.add(f'{k} {NASTY}', [entry])


def test_keys(tmp_path):
    write_page(tmp_path / 'index.html', 3)
    found = seen_in(
        tmp_path / 'index.html',
        """
        const where = () => [byId('finding').textContent, byId('where').value];
        const steps = [where()];
        const at = (key, target) => { press(key, target); steps.push(where()); };
        at('ArrowRight'); at('n'); at('n'); at('n'); at('ArrowRight', byId('play'));
        at('ArrowLeft'); at('ArrowLeft'); at('p');
        const play = () => byId('play').getAttribute('aria-label');
        const labels = [play()];
        press(' '); labels.push(play());
        press(' '); labels.push(play());
        press('ArrowRight', byId('scrub'));  // the slider moves by itself
        const buttons = [...byId('gallery').children];
        const now = buttons.map((x) => x.getAttribute('aria-current'));
        return { steps, labels, now, last: where() };
        """,
    )
    videos = [0, 0, 1, 2, 2, 2, 2, 2, 1]
    frames = [0, 7, 0, 0, 0, 7, 0, 0, 0]
    pairs = zip(videos, frames, strict=True)
    assert found['steps'] == [[f'm: is {v}', f'frame {f}'] for v, f in pairs]
    assert found['labels'] == ['Play', 'Pause', 'Play']
    assert found['now'] == ['false', 'true', 'false']
    assert found['last'] == found['steps'][-1]


def test_names_are_text_and_controls_have_names(tmp_path):
    write_page(tmp_path / 'index.html', 2)
    found = seen_in(
        tmp_path / 'index.html',
        f"""return {{
          title: document.title, nameless: {NAMELESS},
          run: document.querySelectorAll('b, img[src="x"]').length,
          video: byId('gallery').children[1].textContent,
          name: byId('name').textContent,
          map: document.querySelector('.map').textContent,
        }};""",
    )
    assert found['run'] == 0
    assert found['title'] == NASTY.replace('\n', ' ')  # as browsers show a title
    assert found['video'] == f'1 {NASTY}is 1'
    assert found['name'] == f'0 {NASTY}'
    assert found['map'] == NASTY
    assert found['nameless'] == []


def test_fifty_videos(tmp_path):
    """Only the video that is shown is decoded."""
    write_page(tmp_path / 'index.html', 50)
    found = seen_in(
        tmp_path / 'index.html',
        """return {
          videos: byId('gallery').children.length,
          frames: panels[0].images.length,
        };""",
    )
    assert found['videos'] == 50
    assert found['frames'] == FRAMES
