"""A training step and a test with data, ours against MMAction2's plain recipe.

Each system's config at a small size, from opening the videos to the last hook, beside
MMAction2's own recipe (its reader, data set, hooks, recognizer and TSN head) with the
same backbone, frames, batch and optimizer; both through the runner that the tools use,
in one process. A test is one video of 25 frames and ten crops. Exits with 1 if a
training step takes more than 1.00 times as long as the plain one (STBTA 1.10), or a
test more than 0.90 times.

    python benchmarks/training_step.py [--systems stbta ...] [--steps train test]
        [--pairs 20] [--threads 1] [--layout] [--bf16] [--compile] [--profile]
"""

import argparse
import copy
import cProfile
import pstats
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from memory import keep_freed_memory
from mmengine.config import Config
from mmengine.runner import Runner
from timing import interleaved, report

from mmattn.engine.host_tools import train_in_bf16
from mmattn.testing.data import NUM_CLASSES
from mmattn.testing.shrink import point_to_data
from mmattn.utils.configs import find_config
from mmattn.utils.logs import quiet_log

SYSTEMS = {  # config, videos of a batch, side of the frames
    'tsn': ('tsn_in1k-pre-bninception_8xb8-1x1x3-100e_ucf101-split1-rgb', 2, 128),
    'stbta': ('stbta_in1k-pre-bninception_8xb8-1x1x3-100e_ucf101-split1-rgb', 2, 128),
    'pyramid': (
        'pyramid_in1k-pre-bninception_8xb8-1x1x3-10kiter_ucf101-split1-rgb',
        2,
        128,
    ),
    'temporal_lstm': ('temporal_lstm_vgg16_8xb4-30x1-20e_ucf101-split1-rgb', 2, 112),
    'convlstm': ('convlstm_in1k-pre-vgg16_1xb15-30x1-10e_ucf101-split1-rgb', 2, 112),
}
TRAIN_BOUNDS = {'stbta': 1.10}
TEST_BOUND = 0.90
TESTED = ('tsn', 'pyramid')  # whose protocol is 25 frames and ten crops
WIDTH, HEIGHT, LENGTH, VIDEOS = 320, 240, 90, 8


def write_videos(folder: Path) -> None:
    """Videos of moving patterns, of the size and codec of many data sets."""
    rng = np.random.default_rng(0)
    (folder / 'videos').mkdir()
    lines = []
    for number in range(VIDEOS):
        small = rng.integers(0, 256, (HEIGHT // 8, WIDTH // 8, 3), np.uint8)
        picture = cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
        name = f'{number}.mp4'
        codec = cv2.VideoWriter_fourcc(*'mp4v')
        path = str(folder / 'videos' / name)
        video = cv2.VideoWriter(path, codec, 25, (WIDTH, HEIGHT))
        for frame in range(LENGTH):
            video.write(np.roll(picture, 3 * frame, axis=1))
        video.release()
        lines.append(f'{name} {number % NUM_CLASSES}')
    (folder / 'videos.txt').write_text('\n'.join(lines) + '\n', encoding='utf-8')


def ours(system: str, folder: Path) -> Config:
    """Our config with smaller frames and batches; nothing else is changed."""
    name, batch, side = SYSTEMS[system]
    cfg = Config.fromfile(find_config(f'{name}.py'))
    for part in (cfg.model.backbone, cfg.model.backbone.get('backbone', {})):
        part.pop('init_cfg', None)
    cfg.model.cls_head.num_classes = NUM_CLASSES
    if system == 'temporal_lstm':  # fc6 has 100 million weights, for larger frames
        cfg.model.backbone.update(fc_channels=512, input_size=side)
        cfg.model.cls_head.in_channels = 512
    if system == 'convlstm':
        cfg.model.cls_head.recurrence.feature_size = (side // 32,) * 2
    if system == 'pyramid':
        cfg.model.reduction.module.top_size = (side // 32,) * 2
    resize_steps(cfg, side)
    for split in ('train', 'val', 'test'):
        loader = cfg[f'{split}_dataloader']
        loader.update(batch_size=batch, num_workers=0, persistent_workers=False)
        loader.sampler.pop('infinite', None)
        point_to_data(loader.dataset, folder)
    cfg.test_dataloader.batch_size = 1
    return for_timing(cfg, folder)


def resize_steps(cfg: Config, side: int) -> None:
    """Let all pipelines give frames of this side."""
    pipelines = [
        cfg[f'{split}_dataloader'].dataset.pipeline for split in ('train', 'test')
    ]
    for step in [step for pipeline in pipelines for step in pipeline]:
        if step['type'] == 'Resize':
            whole = step['scale'][0] == -1
            step['scale'] = (-1, side * 8 // 7) if whole else (side, side)
        for key in ('crop_size', 'input_size', 'size'):
            if key in step:
                step[key] = side


def plain(system: str, cfg: Config, folder: Path) -> Config:
    """MMAction2's recipe with the backbone, frames and optimizer of ours."""
    plain = Config.fromfile(mmaction_runtime())
    backbone = dict(cfg.model.backbone)
    backbone = dict(backbone.get('backbone', backbone))
    channels = 1024
    if system in ('temporal_lstm', 'convlstm'):
        backbone['frozen_stages'] = 'all'
        channels = 512
    normalize = cfg.model.data_preprocessor
    plain.model = dict(
        type='Recognizer2D',
        backbone=backbone,
        cls_head=dict(
            type='TSNHead',
            num_classes=NUM_CLASSES,
            in_channels=channels,
            dropout_ratio=0.5,
        ),
        data_preprocessor=dict(
            type='ActionDataPreprocessor',
            mean=normalize.mean,
            std=normalize.std,
            to_rgb=normalize.get('to_rgb', False),
            format_shape='NCHW',
        ),
    )
    for split in ('train', 'test'):
        ours = cfg[f'{split}_dataloader']
        pipeline = [host_step(step) for step in ours.dataset.pipeline]
        plain[f'{split}_dataloader'] = dict(
            batch_size=ours.batch_size,
            num_workers=0,
            sampler=dict(type='DefaultSampler', shuffle=split == 'train'),
            dataset=dict(
                type='VideoDataset',
                ann_file=str(folder / 'videos.txt'),
                data_prefix=dict(video=str(folder / 'videos')),
                pipeline=pipeline,
                test_mode=split == 'test',
            ),
        )
    plain.optim_wrapper = cfg.optim_wrapper
    plain.train_cfg, plain.test_cfg = cfg.train_cfg, dict(type='TestLoop')
    plain.test_evaluator = dict(type='AccMetric')
    return for_timing(plain, folder)


def mmaction_runtime() -> Path:
    """MMAction2's own base of every config."""
    import mmaction

    root = Path(mmaction.__file__).parent / '.mim' / 'configs'
    return root / '_base_' / 'default_runtime.py'


def host_step(step: dict) -> dict:
    """The step of MMAction2 that does what one of ours does."""
    frames = step.get('num_frames', step.get('window_frames'))
    replaced = {
        'mmattn.VideoInit': dict(type='DecordInit'),
        'mmattn.VideoDecode': dict(type='DecordDecode'),
        'mmattn.PackClipInputs': dict(type='PackActionInputs'),
        'mmattn.SampleSpacedFrames': dict(
            type='SampleFrames', clip_len=1, num_clips=frames
        ),
        'mmattn.SampleWindows': dict(type='SampleFrames', clip_len=frames, num_clips=1),
    }
    return replaced.get(step['type'], dict(step))


def for_timing(cfg: Config, folder: Path) -> Config:
    """Train without end, and neither write nor validate."""
    cfg.train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=100_000)
    cfg.param_scheduler = []
    cfg.optim_wrapper.optimizer.lr = 1e-8  # untrained, a trunk soon diverges
    cfg.randomness = dict(seed=0)  # with some first weights gradients overflow
    cfg.default_hooks.checkpoint = None
    cfg.default_hooks.logger.interval = 10**9
    cfg.visualizer.vis_backends = []
    for key in ('val_cfg', 'val_dataloader', 'val_evaluator'):
        cfg[key] = None
    cfg.work_dir, cfg.log_level = str(folder / 'work'), 'ERROR'
    return cfg


def make_steps(cfg: Config, compiled: bool = False) -> dict[str, Callable]:
    """Functions that do a training step and the test of a video, data included."""
    cfg = cfg.copy()
    cfg.experiment_name = uuid.uuid4().hex
    with quiet_log():
        runner = Runner.from_cfg(cfg)
        loop = runner._train_loop = runner.build_train_loop(runner._train_loop)
        runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
        runner.param_schedulers = []
        runner.call_hook('before_run')
        runner._init_model_weights()
    runner.optim_wrapper.initialize_count_status(runner.model, 0, loop.max_iters)
    if compiled:
        runner.cfg.compile = True
        runner._maybe_compile('train_step')
    runner.call_hook('before_train')
    runner.call_hook('before_train_epoch')
    runner.call_hook('before_test_epoch')
    train_batches, test_batches = (
        endless(loop.dataloader),
        endless(runner.test_loop.dataloader),
    )

    def train() -> None:
        runner.model.train()
        loop.run_iter(0, next(train_batches))

    def test() -> None:
        runner.model.eval()
        runner.test_loop.run_iter(0, next(test_batches))
        runner.test_loop.evaluator.metrics[0].results.clear()

    return dict(train=train, test=test)


def endless(loader):
    while True:
        yield from loader


def show_profile(name: str, step: Callable) -> None:
    """Print the share of decoding, of other work on the data and of the network."""
    step()
    profile = cProfile.Profile(time.process_time)
    start = time.process_time()
    profile.runcall(step)
    total = time.process_time() - start
    stats = pstats.Stats(profile).stats

    def seconds(*ends: str) -> float:
        return sum(
            row[3]
            for (file, _, what), row in stats.items()
            if f'{Path(file).name}:{what}' in ends
        )

    data = seconds('fetch.py:fetch')
    decode = seconds('decode.py:transform', 'loading.py:transform')
    normalize = seconds(
        'base_model.py:data_preprocessor', 'data_preprocessor.py:forward'
    )
    print(
        f'{name}: {total:.2f} s; decode {decode / total:.1%}, other work on the data '
        f'{(data - decode) / total:.1%}, normalize {normalize / total:.1%}, network '
        f'and the rest {(total - data - normalize) / total:.1%}'
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--systems', nargs='+', default=list(SYSTEMS), choices=SYSTEMS)
    parser.add_argument('--steps', nargs='+', default=['train', 'test'])
    parser.add_argument('--pairs', type=int, default=20, help='pairs to time')
    parser.add_argument('--threads', type=int, default=1, help='CPU threads')
    parser.add_argument(
        '--layout', action='store_true', help='also time ours in the plain layout'
    )
    parser.add_argument(
        '--compile', action='store_true', help='also time ours compiled'
    )
    parser.add_argument(
        '--bf16', action='store_true', help='also time ours in bfloat16'
    )
    parser.add_argument('--profile', action='store_true', help='where the time goes')
    args = parser.parse_args()
    keep_freed_memory()
    torch.set_num_threads(args.threads)
    cv2.setNumThreads(0)
    clock = time.perf_counter if torch.cuda.is_available() else time.process_time
    timed = dict(pairs=args.pairs, warmup=1, clock=clock)
    passed = True
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_videos(folder)
        for system in args.systems:
            cfg = ours(system, folder)
            mine, host = make_steps(cfg), make_steps(plain(system, cfg, folder))
            for step in args.steps:
                if step == 'test' and system not in TESTED:
                    continue
                bound = TEST_BOUND if step == 'test' else TRAIN_BOUNDS.get(system, 1)
                title = f'{system}, {step}'
                if args.profile:
                    show_profile(f'{title}, ours', mine[step])
                    show_profile(f'{title}, plain', host[step])
                result = interleaved(mine[step], host[step], **timed)
                passed &= report(f'{title}, ours / plain', result, at_most=bound)
                if args.layout:
                    before = make_steps(Config(dict(cfg, channels_last=False)))
                    result = interleaved(before[step], host[step], **timed)
                    report(f'{title}, ours in the plain layout / plain', result)
                if args.bf16 and step == 'train':
                    half = copy.deepcopy(cfg)
                    train_in_bf16(half, bf16=True)
                    half = make_steps(half)
                    result = interleaved(half[step], mine[step], **timed)
                    report(f'{title}, ours in bfloat16 / ours', result)
                if args.compile and step == 'train':
                    fast = make_steps(cfg, compiled=True)
                    result = interleaved(fast[step], mine[step], **timed)
                    report(f'{title}, ours compiled / ours', result)
                sys.stdout.flush()
    return 0 if passed else 1


if __name__ == '__main__':
    sys.exit(main())
