"""Export a model to ONNX or torch.export and check the result against PyTorch.

python tools/deployment/export.py work_dirs/mine --out model.onnx
python tools/deployment/export.py CONFIG CHECKPOINT --out model.onnx --video FILE

MODEL is a work folder, a checkpoint that carries its config, or a config (or its name)
followed by its weights. The suffix of --out chooses: .onnx, or .pt2 for torch.export.
The input is what the test pipeline packs of the center crop; its shape is fixed in the
file.
"""

import sys
from pathlib import Path

from mmengine.config import DictAction

from mmattn.inference.export import ExportError, export, largest_difference
from mmattn.inference.inputs import read_video
from mmattn.inference.models import load_model
from mmattn.inference.score import ClipScorer, first_clip, packed_clip
from mmattn.utils.command_line import run_tool, tool_parser
from mmattn.utils.configs import add_split_option, set_split


def main() -> int:
    """Run the tool."""
    parser = tool_parser(__doc__)
    parser.add_argument('model', help='see above; a recognizer or detector')
    parser.add_argument(
        'checkpoint',
        nargs='?',
        help='weights of a config; random ones without, to try',
    )
    parser.add_argument('--out', required=True, help='.onnx or .pt2 file to write')
    parser.add_argument(
        '--video',
        type=Path,
        help='video, or folder of frames or flow, to trace and check with; by default '
        'the first of the test list',
    )
    parser.add_argument(
        '--tolerance',
        type=float,
        default=1e-4,
        help='largest difference of a score that is accepted',
    )
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, default={})
    add_split_option(parser)
    args = parser.parse_args()
    set_split(args.split)
    try:
        # Weights in a file lie as other programs expect them.
        options = {'channels_last': False, **args.cfg_options}
        model = load_model(args.model, args.checkpoint, options=options)
        if args.video:
            clips, infos = packed_clip(read_video(model, args.video).item)
        else:
            clips, infos = first_clip(model.cfg)
        scorer = ClipScorer(model, infos)
        path = export(scorer, clips, args.out)
    except (ExportError, ImportError, ValueError) as error:
        parser.error(str(error))
    difference = largest_difference(scorer, path, clips)
    shapes = ' and '.join('x'.join(map(str, clip.shape)) for clip in clips)
    print(f'{path}: input {shapes}, largest difference of a score {difference:.1e}')
    return 0 if difference <= args.tolerance else 1


if __name__ == '__main__':
    sys.exit(run_tool(main))
