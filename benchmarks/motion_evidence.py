"""ConvLSTM attention and STBTA against their twins on `motion` videos, end to end.

No single frame of `motion` shows the class, so a frozen network of frames cannot judge
it. Here the small networks of `convlstm_motion.py` and `stbta_evidence.py` learn from
random weights, on few clips, so that they are not right on all others. The twin of the
first has the same ConvLSTM without attention, that of the second no STBTA; both have
the same clips, order of clips and schedule. Recommended forms differ from the paper's
as in ``mmattn compare``. Intervals are over the seeds, of clips and training, each of
which is a group, because with some of them a network learns nothing. Exits with 1 if
the command took more than 30 CPU minutes, whatever the accuracies are.

``--twins`` trains the twins alone, by which the numbers of clips and epochs were
chosen.

    python benchmarks/motion_evidence.py convlstm --seeds 100 101 102
    python benchmarks/motion_evidence.py stbta --twins --seeds 100 --clips 20 40
"""

import copy
import sys
from argparse import Namespace

import numpy as np
from convlstm_motion import LR_MULT, NUM_FRAMES, SIDE
from convlstm_motion import MODEL as CONVLSTM
from evidence import (
    Clips,
    parser,
    print_minutes,
    render,
    right_clips,
    row,
    train,
)
from stbta_evidence import build

from mmattn.comparison.result import HEADER, paired_row
from mmattn.comparison.systems import TUNED, TWINS
from mmattn.synthetic import VideoOptions

NUM_CLASSES = 6
CLIPS = (20, 40)
EPOCHS = {'convlstm': 90, 'stbta': 40}
LR = {'convlstm': 0.01, 'stbta': 0.005}
HARDNESS = 0.5
FORMS = {'convlstm': ('paper',), 'stbta': ('paper', 'tuned')}


def convlstm(arm: str) -> dict:
    """Config of a recognizer with a ConvLSTM."""
    model = copy.deepcopy(CONVLSTM)
    model['cls_head']['num_classes'] = NUM_CLASSES
    attention = 'none' if arm in TWINS.values() else 'gap_dense'
    model['cls_head']['recurrence']['attention'] = attention
    return model


def stbta(arm: str) -> dict:
    """Config of I3D, with STBTA or without."""
    model = build('motion', attention=arm not in TWINS.values())
    model['cls_head'].update(
        num_classes=NUM_CLASSES, dropout_ratio=0.5 if arm in TUNED else 0.0
    )
    if arm == 'tuned':
        (attention,) = model['backbone']['attentions']
        attention['module']['residual'] = False
    return model


def right(arm: str, seed: int, args: Namespace) -> np.ndarray:
    """Whether each test clip is right after one training, (N,)."""
    system = args.system
    options = VideoOptions(
        preset='motion',
        num_classes=NUM_CLASSES,
        clips_per_class=dict(zip(('train', 'test'), args.clips or CLIPS, strict=True)),
        num_frames=NUM_FRAMES,
        size=(SIDE, SIDE),
        hardness=args.hardness,
        seed=seed,
    )
    samples = render(options)
    step = dict(type='mmattn.SampleSpacedFrames', num_frames=NUM_FRAMES)
    layout = 'NCHW'
    if system == 'stbta':
        step, layout = dict(type='SampleFrames', clip_len=NUM_FRAMES), 'NCTHW'
    model = train(
        dict(convlstm=convlstm, stbta=stbta)[system](arm),
        Clips(samples['train'], step, layout=layout),
        epochs=args.epochs or EPOCHS[system],
        batch_size=16,
        lr=LR[system],
        seed=seed,
        lr_mult=LR_MULT if system == 'convlstm' else None,
    )
    found = right_clips(model, Clips(samples['test'], step, layout=layout))
    print(f'{system}, {arm}, seed {seed}: {100 * found.mean():.1f} %', flush=True)
    return found


def main() -> int:
    options = parser(__doc__.splitlines()[0])
    options.add_argument('system', choices=tuple(FORMS))
    options.add_argument('--hardness', type=float, default=HARDNESS, help='0 to 1')
    options.add_argument('--twins', action='store_true', help='train the twins alone')
    args = options.parse_args()
    forms = FORMS[args.system]
    arms = [arm for form in forms for arm in (TWINS[form], form)]
    if args.twins:
        arms = [TWINS[form] for form in forms]
    done = {arm: [right(arm, seed, args) for seed in args.seeds] for arm in arms}
    if not args.twins:
        groups = np.repeat(args.seeds, [len(x) for x in done[arms[0]]])
        print('\n' + row(*HEADER[:6]), row(*['---'] * 6), sep='\n')
        for form in forms:
            found = paired_row(
                args.system,
                form,
                np.concatenate(done[TWINS[form]]),
                np.concatenate(done[form]),
                labels=np.zeros(len(groups), dtype=int),
                groups=groups,
                num_classes=1,
            )
            print(row(*found.cells()[:6]))
    return 0 if print_minutes() else 1


if __name__ == '__main__':
    sys.exit(main())
