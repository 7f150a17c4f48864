"""Pages of ours: their policy, and what Chromium shows of them without a window."""

import base64
import hashlib
import html
import json
import re
import shutil
import subprocess

import pytest

BROWSER = shutil.which('chromium') or shutil.which('google-chrome')
needs_browser = pytest.mark.skipif(
    BROWSER is None, reason='no Chromium to open pages in'
)


def check_policy(text):
    """A page runs its own scripts alone, and loads nothing."""
    assert '<img src=x' not in text
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]+)"', text)
    scripts = re.findall(r'<script>(.*?)</script>', text, re.S)
    digests = [hashlib.sha256(script.encode()).digest() for script in scripts]
    allowed = [f"'sha256-{base64.b64encode(one).decode()}'" for one in digests]
    assert policy.endswith('script-src ' + (' '.join(allowed) or "'none'"))
    assert "default-src 'none'" in policy
    assert not re.search(r'https?://', text)


def seen_in(path, script):
    """What a script finds on a page that is open."""
    text = path.read_text('utf-8')
    text = re.sub('<meta http-equiv="Content-Security-Policy"[^>]*>', '', text)
    text += (
        '<script>const press = (key, target = document.body) => target.dispatchEvent('
        "new KeyboardEvent('keydown', { key, bubbles: true }));"
        f'document.body.dataset.seen = JSON.stringify((() => {{ {script} }})())'
        '</script>'
    )
    opened = path.with_name('opened.html')
    opened.write_text(text, 'utf-8')
    (found,) = re.findall(r'data-seen="([^"]*)"', dom_of(opened))
    return json.loads(html.unescape(found))


def dom_of(path, *options, budget=2000):
    """The elements of a page once it has run for so many milliseconds."""
    return _run(
        '--dump-dom', f'--virtual-time-budget={budget}', *options, path.as_uri()
    )


def printed(path, out):
    """The PDF of a page as a browser prints it."""
    _run(f'--print-to-pdf={out}', path.as_uri())
    return out.read_bytes()


def _run(*words):
    command = [BROWSER, '--headless', '--no-sandbox', '--disable-gpu', *words]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=300, check=True
    ).stdout
