"""Pyramid attention against average consensus, over the number of test frames.

VGG-11 with batch norm, an eighth as wide, on the `keyframes` and `small` videos. For
each seed it first learns poses from single frames of `trimmed` videos, whose figures
are as tall, as others start from ImageNet. From these weights it is trained on 3 frames
of a clip and tested on 1 to 25: with average consensus, and with pyramid attention over
conv3, conv4 and conv5, without and with the losses on the attention. Prints mean and
standard deviation of top-1 over the seeds; exits with 1 if the command took more than
30 CPU minutes, whatever the accuracies are.

    python benchmarks/pyramid_evidence.py [--seeds 0 1 2] [--presets keyframes small]
"""

import sys

from evidence import (
    PREPROCESSOR,
    Clips,
    learn_poses,
    mean_and_spread,
    parser,
    poses_like,
    print_minutes,
    render,
    row,
    top1,
    train,
)

from mmattn.synthetic import VideoOptions

TRAIN_FRAMES = 3
TEST_FRAMES = (1, 3, 5, 10, 25)
NUM_CLASSES = 5
HARDNESS = 0.2
SIZES = {'keyframes': (64, 64), 'small': (96, 96)}
POSE_SIZES = {'keyframes': (64, 64), 'small': (40, 40)}
CLIPS = {'keyframes': (60, 20), 'small': (40, 20)}
EPOCHS = {'keyframes': 10, 'small': 8}
BACKBONE = dict(type='mmattn.VGG', depth=11, batch_norm=True, base_channels=8)
HEAD = dict(
    type='TSNHead',
    num_classes=NUM_CLASSES,
    in_channels=64,
    dropout_ratio=0.2,
    average_clips='prob',
)
MODELS = ('average', 'pyramid, no losses', 'pyramid')


def build(name: str, preset: str) -> dict:
    """Config of a recognizer."""
    model = dict(
        type='Recognizer2D',
        backbone=dict(BACKBONE, out='pool5'),
        cls_head=HEAD,
        data_preprocessor=PREPROCESSOR,
    )
    if name == 'average':
        return model
    neck = dict(
        type='mmattn.PyramidAttentionNeck',
        in_channels=(32, 64, 64),
        top_size=(SIZES[preset][1] // 16, SIZES[preset][0] // 16),
    )
    if name != 'pyramid':
        neck['losses'] = ()
    reduction = dict(taps=('conv3', 'conv4', 'conv5'), module=neck)
    return dict(model, type='mmattn.ReductionRecognizer', reduction=reduction)


def sampling(num_frames: int, *, test: bool) -> dict:
    """Config of the step that samples frames."""
    return dict(type='SampleFrames', clip_len=1, num_clips=num_frames, test_mode=test)


def run(
    preset: str, seed: int, clips: tuple[int, int], epochs: int
) -> dict[str, list[float]]:
    """Top-1 of each model at each number of test frames."""
    options = VideoOptions(
        preset=preset,
        num_classes=NUM_CLASSES,
        clips_per_class=dict(zip(('train', 'test'), clips, strict=True)),
        size=SIZES[preset],
        hardness=HARDNESS,
        seed=seed,
    )
    poses = poses_like(options, POSE_SIZES[preset])
    start, accuracy = learn_poses(build('average', preset), poses, epochs=epochs)
    print(f'{preset}, seed {seed}: {accuracy:.1f} % of single poses', flush=True)
    samples = render(options)
    train_clips = Clips(samples['train'], sampling(TRAIN_FRAMES, test=False))
    tests = [Clips(samples['test'], sampling(K, test=True)) for K in TEST_FRAMES]
    outcome = {}
    for name in MODELS:
        model = train(
            build(name, preset),
            train_clips,
            epochs=epochs,
            batch_size=20,
            lr=0.005,
            seed=seed,
            start=start,
        )
        outcome[name] = [top1(model, test_clips) for test_clips in tests]
    return outcome


def main() -> int:
    args = parser(__doc__.splitlines()[0], tuple(SIZES)).parse_args()
    lines = []
    for preset in args.presets:
        clips, epochs = args.clips or CLIPS[preset], args.epochs or EPOCHS[preset]
        outcomes = []
        for seed in args.seeds:
            outcomes.append(run(preset, seed, clips, epochs))
            print(f'{preset}, seed {seed}: {outcomes[-1]}', flush=True)
        for name in MODELS:
            by_frames = zip(*(outcome[name] for outcome in outcomes), strict=True)
            lines.append(row(preset, name, *map(mean_and_spread, by_frames)))
    print('\n' + row('preset', 'consensus', *(f'K = {K}' for K in TEST_FRAMES)))
    print(row(*['---'] * (2 + len(TEST_FRAMES))), *lines, sep='\n')
    return 0 if print_minutes() else 1


if __name__ == '__main__':
    sys.exit(main())
