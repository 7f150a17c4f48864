"""The temporal-attention system from nothing to a picture, on synthetic videos.

Makes two small video sets, trains the per-frame ConvNet on one, stores its features of
the other, trains the recurrent part with attention and with mean pooling in its place,
tests both and draws what the first attends to.  Every step is a command that works on
real data too, and is printed before it runs.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
CONFIGS = ROOT / 'configs' / 'recognition' / 'temporal_lstm'
CONVNET = CONFIGS / 'temporal_lstm-convnet_tiny-vgg16bn_1xb64-1x1x1-20e_trimmed-rgb.py'
VIDEO = CONFIGS / 'temporal_lstm_tiny-vgg16bn_1xb8-30x1-50e_keyframes-rgb.py'
HEADS = dict(
    attention='temporal_lstm_tiny-vgg16bn-fc6_1xb32-30x1-50e_keyframes-rgb.py',
    baseline='temporal_lstm-baseline_tiny-vgg16bn-fc6_1xb32-30x1-50e_keyframes-rgb.py',
)


def run(title: str, script: str, *args: object, threads: int = 1) -> None:
    """Run one of our tools, showing its command; its output goes to a log file.

    Convolutions gain from more ``threads``; the small products of the recurrent part
    would only wait for each other.

    Raises:
        SystemExit: If the command fails, with the end of its output.
    """
    command = [sys.executable, str(ROOT / 'tools' / script), *map(str, args)]
    print(f'\n== {title}\n$ python tools/{script} {shlex.join(map(str, args))}')
    start = time.perf_counter()
    show = script.endswith(('make_videos.py', 'extract_features.py'))
    output = None if show else subprocess.PIPE
    env = {**os.environ, 'OMP_NUM_THREADS': str(threads)}
    process = subprocess.run(command, env=env, stdout=output, stderr=output, text=True)
    if process.returncode:
        tail = '' if show else (process.stdout + process.stderr)[-3000:]
        raise SystemExit(f'{tail}\n{script} failed; the command is printed above')
    print(f'   {time.perf_counter() - start:.0f} s')


def train(name: str, config: Path, work_dir: Path, seed: int, threads: int = 1) -> Path:
    """Train a config and return its last checkpoint."""
    args = (config, '--work-dir', work_dir, '--seed', seed)
    run(f'train {name}', 'train.py', *args, threads=threads)
    return Path((work_dir / 'last_checkpoint').read_text().strip())


def test(config: Path, checkpoint: Path, work_dir: Path) -> float:
    """Test a checkpoint and return its top-1 accuracy in percent."""
    run('test', 'test.py', config, checkpoint, '--work-dir', work_dir)
    results = max(work_dir.glob('2*/2*.json'), key=lambda path: path.stat().st_mtime)
    return 100 * json.loads(results.read_text())['acc/top1']


def mass_on_key_frames(checkpoint: Path) -> tuple[float, float]:
    """Return the mean share of attention on key frames, and the uniform share."""
    from mmengine.config import Config
    from mmengine.registry import DATASETS

    from mmattn.apis.attention import attend, frame_weights, load_model
    from mmattn.evaluation import mass_on_frames

    cfg = Config.fromfile(CONFIGS / HEADS['attention'])
    model = load_model(cfg, str(checkpoint))
    dataset = DATASETS.build(cfg.test_dataloader.dataset)
    truth = Path('data/synthetic/keyframes/ground_truth')
    shares = []
    for sample, records in attend(model, (dataset[i] for i in range(len(dataset)))):
        numbers, weights = frame_weights(records[0], last_steps=10)
        key = np.load(truth / f'{Path(sample.video_id).name}.npz')['key']
        shares.append(mass_on_frames(weights, key[numbers]))
    mass, uniform = np.mean(shares, axis=0)
    return float(mass), float(uniform)


def main() -> int:
    """Run every step and print the outcome."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--seed', type=int, default=0, help='of data and training')
    parser.add_argument('--json', help='also write the outcome to this file')
    args = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)  # steps show in a log file, too
    start = time.perf_counter()
    data, work = Path('data/synthetic'), Path('work_dirs/demo')
    features = data / 'keyframes_features'

    for preset, clips, num_frames in (
        ('trimmed', (320, 20, 0), 6),
        ('keyframes', (60, 0, 20), 30),
    ):
        run(
            f'make the {preset} videos',
            'data/synthetic/make_videos.py',
            *(data / preset, '--preset', preset, '--seed', args.seed, '--overwrite'),
            *('--clips-per-class', *clips, '--num-frames', num_frames),
        )
    cores = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else 1
    name = 'the per-frame ConvNet'
    convnet = train(name, CONVNET, work / 'convnet', args.seed, threads=cores)
    for old in features.glob('**/*.npy'):
        old.unlink()
    run(
        'store its features',
        'data/extract_features.py',
        *(VIDEO, convnet, features),
        threads=cores,
    )
    top1, checkpoints = {}, {}
    for name, config in HEADS.items():
        folder = work / name
        checkpoints[name] = train(name, CONFIGS / config, folder, args.seed)
        top1[name] = test(CONFIGS / config, checkpoints[name], folder)
    mass, uniform = mass_on_key_frames(checkpoints['attention'])
    joined = work / 'joined.pth'
    run(
        'join ConvNet and recurrent part',
        'convert/join_checkpoints.py',
        joined,
        f'backbone={convnet}',
        f'cls_head={checkpoints["attention"]}',
    )
    videos = sorted((data / 'keyframes' / 'videos').glob('test_*.mp4'))[:4]
    run(
        'draw what it attends to',
        'visualization/timeline.py',
        VIDEO,
        joined,
        *videos,
        *('--out', work / 'pictures', '--classes', data / 'keyframes/classes.txt'),
        *('--ground-truth', data / 'keyframes/ground_truth'),
    )
    picture = work / 'pictures' / f'{videos[0].stem}.png'
    outcome = dict(
        top1_attention=top1['attention'],
        top1_mean_pooling=top1['baseline'],
        mass_on_key_frames=mass,
        uniform_mass=uniform,
        picture=str(picture),
        seconds=time.perf_counter() - start,
    )
    if args.json:
        Path(args.json).write_text(json.dumps(outcome, indent=2))
    print(f'\ndone in {outcome["seconds"]:.0f} s')
    print(f'top-1 with temporal attention: {top1["attention"]:.1f} %')
    print(f'top-1 with mean pooling:       {top1["baseline"]:.1f} %')
    print(
        f'attention on key frames:       {mass:.3f} of its mass '
        f'(uniform: {uniform:.3f}, {mass / uniform:.1f} times)'
    )
    print(f'picture: {picture}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
