"""Peak memory of every tool on thirty minutes of video at 320 x 240.

python benchmarks/long_videos.py [--minutes 30] [--limit 1.5] [TOOL ...]

Each tool runs in a process of its own with a tiny network. The figure is that of its
largest process; one above the limit (in GB) is a bound missed, and ends the benchmark
with exit code 1. Tools that read video into a network of frames, whole, run with the
smallest config of ``temporal_lstm``, whose windows cover the whole video. The
tools that draw refuse so many frames at once and run with a network that samples a few.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONFIG = 'temporal_lstm_vgg16_8xb4-30x1-20e_ucf101-split1-rgb'
SAMPLED = 'stbta-one_in1k-pre-bninception_8xb8-1x1x3-100e_ucf101-split1-rgb'
DETECTOR = 'slowfast_attn-e2e_tiny-r3d_1xb8-8x2x1-15e_interaction-rgb'
FPS, WIDTH, HEIGHT = 25, 320, 240
TOOLS = {
    'check_videos': 'data/check_videos.py videos --workers 1',
    'extract_flow': 'data/extract_flow.py videos flow --method dis --workers 1',
    'extract_features': 'data/extract_features.py tiny.py tiny.pth features '
    '--lists test --workers 1',
    'test': 'test.py tiny.py tiny.pth',
    'attention': 'visualization/attention.py sampled.py sampled.pth videos/long.mp4 '
    '--out attention',
    'predict': 'predict.py tiny.py tiny.pth videos/long.mp4 --every 60',
    'grad_cam': 'visualization/grad_cam.py --model sampled.py sampled.pth --out cam '
    'videos/long.mp4',
    'check_annotations': 'data/detection/check_annotations.py truth.csv '
    '--videos videos --label-map classes.pbtxt --decode',
    'make_proposals': 'data/detection/make_proposals.py truth.csv persons.json '
    '--detector persons.py persons.pth --videos videos --score-thr 0',
    'detect_actions': 'visualization/detect_actions.py detector.py detector.pth '
    'videos/long.mp4 --out actions --boxes 0.1,0.1,0.9,0.9 --every 5',
}


def write_video(path: Path, minutes: float) -> None:
    """A square that wanders over a gray ground, ten seconds again and again."""
    import av
    import numpy as np

    frames, step = 10 * FPS, 512  # of a part; units of time of a frame
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('libx264', rate=FPS)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, 'yuv420p'
        stream.options = {'preset': 'ultrafast', 'x264-params': f'keyint={frames}'}
        packets = []
        for number in range(frames):
            image = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
            x, y = number % (WIDTH - 40), number // 7 % (HEIGHT - 40)
            image[y : y + 40, x : x + 40] = number % 256
            frame = av.VideoFrame.from_ndarray(image, format='rgb24')
            packets += stream.encode(frame)
        packets += stream.encode()
        content = [(bytes(packet), packet.is_keyframe) for packet in packets]
        for number in range(round(minutes * 60 * FPS)):
            data, is_key = content[number % frames]
            packet = av.Packet(data)
            packet.stream, packet.is_keyframe = stream, is_key
            packet.time_base = Fraction(1, FPS * step)
            packet.pts = packet.dts = number * step
            container.mux(packet)


def prepare(folder: Path, minutes: float) -> None:
    """Write the video, and configs and weights of tiny networks."""
    import torch
    from mmengine.config import Config

    from mmattn.inference.models import load_model
    from mmattn.testing import shrink
    from mmattn.testing.persons import write_person_detector
    from mmattn.utils.configs import find_config

    (folder / 'videos').mkdir(parents=True)
    write_video(folder / 'videos' / 'long.mp4', minutes)
    (folder / 'videos.txt').write_text('long.mp4 0\n')
    for config, name in (
        (CONFIG, 'tiny'),
        (SAMPLED, 'sampled'),
        (DETECTOR, 'detector'),
    ):
        cfg = shrink(Config.fromfile(find_config(f'{config}.py')), folder)
        cfg.dump(folder / f'{name}.py')
        weights = load_model(cfg, untrained=True).state_dict()
        torch.save({'state_dict': weights}, folder / f'{name}.pth')
    seconds = range(1, int(60 * minutes), 30)
    rows = [f'long.mp4,{second},0.1,0.1,0.5,0.9,1,0' for second in seconds]
    (folder / 'truth.csv').write_text('\n'.join(rows))
    (folder / 'classes.pbtxt').write_text('item { name: "run" id: 1 }')
    write_person_detector(folder)


def peak_of(command: list[str], folder: Path, address_limit: int) -> tuple[int, float]:
    """Exit code and peak of a process and of those that it waits for, in GB."""

    def bound() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (address_limit, address_limit))

    with open(folder / 'log.txt', 'w') as log:
        process = subprocess.Popen(
            command, cwd=folder, stdout=log, stderr=log, preexec_fn=bound
        )
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, usage.ru_maxrss / 2**20


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('tools', nargs='*', choices=[*TOOLS, []], metavar='TOOL')
    parser.add_argument('--minutes', type=float, default=30)
    parser.add_argument('--limit', type=float, default=1.5, help='in GB')
    parser.add_argument('--keep', type=Path, help='folder of the video; used again')
    parser.add_argument('--prepare', type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.prepare:
        prepare(args.prepare, args.minutes)
        return 0
    missed = False
    with tempfile.TemporaryDirectory() as place:
        folder = args.keep or Path(place)
        # In a process of its own: what this one holds would count for the others.
        script = [sys.executable, '-W', 'ignore', __file__]
        options = ['--prepare', str(folder), '--minutes', str(args.minutes)]
        if not (folder / 'persons.pth').is_file():
            subprocess.run([*script, *options], check=True, stdout=subprocess.DEVNULL)
        print(f'{args.minutes:g} minutes of {WIDTH} x {HEIGHT} at {FPS} per second')
        for name in args.tools or TOOLS:
            tool, *rest = TOOLS[name].split()
            command = [
                sys.executable,
                '-W',
                'ignore',
                str(ROOT / 'tools' / tool),
                *rest,
            ]
            start = time.perf_counter()
            code, peak = peak_of(command, folder, int(8 * args.limit * 2**30))
            seconds = time.perf_counter() - start
            failed = code and not (name == 'check_videos' and code == 1)
            missed = missed or bool(failed) or peak > args.limit
            note = f'  exit code {code}' if failed else ''
            print(f'{name:18} {peak:6.2f} GB {seconds:7.1f} s{note}', flush=True)
            if failed:
                print((folder / 'log.txt').read_text().strip()[-300:])
    return int(missed)


if __name__ == '__main__':
    sys.exit(main())
