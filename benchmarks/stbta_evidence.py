"""Small networks with and without STBTA, on the `small` and `motion` videos.

`small`: VGG-11 with batch norm, an eighth as wide, on 3 frames of a clip, their scores
averaged; STBTA (t = 2) before conv4. For each seed the network first learns poses from
single frames of `trimmed` videos, whose figures are as tall, as others start from
ImageNet. `motion`, whose classes show in no single frame: I3D, an eighth as wide, from
random weights, on whole clips; STBTA (t = 1) before Mixed_4b. Both networks of a pair
have the same start, schedule and clips. Prints mean and standard deviation of top-1
over the seeds; exits with 1 if the command took more than 30 CPU minutes, whatever the
accuracies are.

    python benchmarks/stbta_evidence.py [--seeds 0 1 2] [--presets small motion]
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

SEGMENTS = 3
HARDNESS = {'small': 0.5, 'motion': 0.0}
POSE_SIZE = (40, 40)
SIZES = {'small': (96, 96), 'motion': (64, 64)}
CLASSES = {'small': 6, 'motion': 4}
FRAMES = {'small': 6, 'motion': 12}
CLIPS = {'small': (40, 20), 'motion': (40, 20)}
EPOCHS = {'small': 8, 'motion': 30}
PLACES = {'small': ('conv4', 2), 'motion': ('Mixed_4b', 1)}
BACKBONES = {
    'small': dict(
        type='mmattn.VGG', depth=11, batch_norm=True, base_channels=8, out='pool5'
    ),
    'motion': dict(type='mmattn.InceptionI3D', base_channels=8),
}


def build(preset: str, *, attention: bool) -> dict:
    """Config of a recognizer."""
    backbone = dict(BACKBONES[preset])
    if attention:
        place, t = PLACES[preset]
        module = dict(type='mmattn.STBTA', t=t)
        backbone = dict(
            type='mmattn.AttentionBackbone',
            backbone=backbone,
            attentions=[dict(before=place, module=module)],
        )
    if preset == 'small':
        head = dict(type='TSNHead', in_channels=64, dropout_ratio=0.2)
        kind, layout = 'mmattn.SegmentRecognizer', 'NCHW'
    else:
        head = dict(type='I3DHead', in_channels=128, dropout_ratio=0.2)
        kind, layout = 'Recognizer3D', 'NCTHW'
    head.update(num_classes=CLASSES[preset], average_clips='prob')
    return dict(
        type=kind,
        backbone=backbone,
        cls_head=head,
        data_preprocessor=dict(PREPROCESSOR, format_shape=layout),
    )


def sampling(preset: str, *, test: bool) -> dict:
    """Config of the step that samples frames."""
    if preset == 'motion':
        length = FRAMES['motion']
        return dict(type='SampleFrames', clip_len=length, test_mode=test)
    return dict(type='SampleFrames', clip_len=1, num_clips=SEGMENTS, test_mode=test)


def run(preset: str, seed: int, clips: tuple[int, int], epochs: int) -> list[float]:
    """Top-1 without and with STBTA."""
    options = VideoOptions(
        preset=preset,
        num_classes=CLASSES[preset],
        clips_per_class=dict(zip(('train', 'test'), clips, strict=True)),
        num_frames=FRAMES[preset],
        size=SIZES[preset],
        hardness=HARDNESS[preset],
        seed=seed,
    )
    start = None
    if preset == 'small':
        poses = poses_like(options, POSE_SIZE)
        model = build(preset, attention=False)
        start, accuracy = learn_poses(model, poses, epochs=epochs)
        print(f'{preset}, seed {seed}: {accuracy:.1f} % of single poses', flush=True)
    samples = render(options)
    layout = 'NCTHW' if preset == 'motion' else 'NCHW'
    train_clips, test_clips = (
        Clips(samples[split], sampling(preset, test=split == 'test'), layout=layout)
        for split in ('train', 'test')
    )
    return [
        top1(
            train(
                build(preset, attention=attention),
                train_clips,
                epochs=epochs,
                batch_size=16,
                lr=0.005,
                seed=seed,
                start=start,
            ),
            test_clips,
        )
        for attention in (False, True)
    ]


def main() -> int:
    args = parser(__doc__.splitlines()[0], tuple(BACKBONES)).parse_args()
    lines = []
    for preset in args.presets:
        clips, epochs = args.clips or CLIPS[preset], args.epochs or EPOCHS[preset]
        pairs = []
        for seed in args.seeds:
            pairs.append(run(preset, seed, clips, epochs))
            print(f'{preset}, seed {seed}: {pairs[-1]}', flush=True)
        plain, attended = zip(*pairs, strict=True)
        gains = [b - a for a, b in pairs]
        columns = (mean_and_spread(values) for values in (plain, attended, gains))
        lines.append(row(preset, *columns, f'{100 / CLASSES[preset]:.1f}'))
    print('\n' + row('preset', 'without, %', 'with STBTA, %', 'gain', 'chance, %'))
    print(row(*['---'] * 5), *lines, sep='\n')
    return 0 if print_minutes() else 1


if __name__ == '__main__':
    sys.exit(main())
