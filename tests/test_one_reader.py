"""One module opens videos: no other imports a decoder or OpenCV's capture."""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DECODERS = ('av', 'decord', 'torchcodec', 'imageio')
CAPTURES = ('VideoCapture', 'video_reader')  # of cv2, and of torch's vision library
READER = 'mmattn/datasets/video_reader/'
WRITERS = (  # of films for tests and benchmarks, which the reader is compared with
    'mmattn/testing/numbered_videos.py',
    'benchmarks/long_videos.py',
    'benchmarks/video_reading.py',
)


def opens_videos(source: str) -> list[str]:
    """What of a file's code would open a video past the reader."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [x.name for x in node.names if x.name.split('.')[0] in DECODERS]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            name = node.module or ''
            if name.split('.')[0] in DECODERS:
                found.append(name)
            if name == 'cv2':
                found += [x.name for x in node.names if x.name in CAPTURES]
        elif isinstance(node, ast.Attribute):
            name = ast.unparse(node)
            if name.startswith('mmcv.Video') or node.attr == 'VideoCapture':
                found.append(name)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(
            'import_module'
        ):
            names = [x.value for x in node.args if isinstance(x, ast.Constant)]
            found += [x for x in names if str(x).split('.')[0] in DECODERS]
    return found


def test_only_the_reader_opens_videos():
    files = [
        path
        for folder in ('mmattn', 'tools', 'benchmarks')
        for path in sorted((ROOT / folder).rglob('*.py'))
    ]
    assert len(files) > 200
    named = {path.relative_to(ROOT).as_posix(): path.read_text() for path in files}
    wrong = {
        name: opens_videos(source)
        for name, source in named.items()
        if not name.startswith(READER) and name not in WRITERS
    }
    assert {name: found for name, found in wrong.items() if found} == {}
    assert any(opens_videos(named[name]) for name in named if name.startswith(READER))
    assert all(map(opens_videos, map(named.get, WRITERS)))


def test_ways_to_open_videos_are_seen():
    for source in (
        'import av',
        'def f():\n    import decord.bridge',
        'from av.stream import Disposition',
        'import cv2\ncv2.VideoCapture(0)',
        'from cv2 import VideoCapture',
        "mmcv.VideoReader('x.mp4')",
        "importlib.import_module('decord')",
    ):
        assert opens_videos(source), source
    assert opens_videos('from .video_reader import open_video\nimport cv2') == []
