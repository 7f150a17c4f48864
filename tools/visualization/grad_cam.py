"""Draw where models see evidence for a class, one row for each model (Grad-CAM).

python tools/visualization/grad_cam.py VIDEO... --model CONFIG CHECKPOINT --out DIR
"""

import sys

from mmattn.datasets.proposals import load_proposals
from mmattn.inference.models import load_models
from mmattn.utils.command_line import run_tool, tell_files, tool_parser
from mmattn.utils.configs import add_split_option, set_split
from mmattn.visualization.contact_sheet import FORMATS
from mmattn.visualization.grad_cam import METHODS
from mmattn.visualization.grad_cam_sheets import draw_grad_cams


def main() -> int:
    """Run the tool."""
    parser = tool_parser(__doc__)
    parser.add_argument(
        'videos',
        nargs='+',
        help='video files; folders of frames or flow for models that read those',
    )
    parser.add_argument(
        '--model',
        nargs='+',
        action='append',
        required=True,
        metavar=('MODEL', 'CHECKPOINT'),
        help='once for each row, such as the baseline and the model with attention',
    )
    parser.add_argument('--out', required=True, help='folder for the pictures')
    parser.add_argument(
        '--layer',
        action='append',
        help='module or stage of the backbone whose maps are weighted, once for all '
        'models or once for each; the output of the backbone by default',
    )
    parser.add_argument(
        '--method',
        choices=METHODS,
        default='grad_cam',
        help="what weights the layer's maps; gradient is that of the frames, rollout "
        "and class_rollout follow the attention of MMAction2's transformers",
    )
    parser.add_argument(
        '--persons',
        help='for detectors: file with the boxes of persons by "video,second", as in '
        'attention.py; --layer region explains what is cut out for each',
    )
    parser.add_argument(
        '--class',
        dest='class_index',
        default='predicted',
        help='number of the class; by default the one that each model predicts; fused: '
        'that of the mean of their probabilities, such as those of two streams',
    )
    parser.add_argument('--format', nargs='+', choices=FORMATS, default=['png'])
    parser.add_argument(
        '--rgb',
        help='folder of the videos, or folders of frames, that flow was computed from: '
        'maps of flow models are drawn over them, models of RGB read them',
    )
    parser.add_argument('--columns', type=int, default=8, help='frames on a png')
    parser.add_argument('--classes', help='text file with a class name per line')
    parser.add_argument('--device', default='cpu', help='such as cuda:0')
    add_split_option(parser)
    args = parser.parse_args()
    named = dict(predicted=None, fused='fused')
    wanted = args.class_index
    if wanted not in named and not wanted.isdecimal():
        parser.error(
            f"--class: expected a number, 'predicted' or 'fused', got {wanted!r}"
        )
    set_split(args.split)
    models = load_models(args.model, device=args.device)
    layers = args.layer or ['backbone']
    pictures, broken = draw_grad_cams(
        models,
        args.videos,
        args.out,
        layers=layers[0] if len(layers) == 1 else layers,
        method=args.method,
        persons=load_proposals(args.persons) if args.persons else None,
        class_index=named[wanted] if wanted in named else int(wanted),
        formats=args.format,
        num_columns=args.columns,
        classes=args.classes,
        rgb=args.rgb,
    )
    return tell_files(pictures, broken)


if __name__ == '__main__':
    sys.exit(run_tool(main))
