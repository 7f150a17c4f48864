"""Convert published weights to a checkpoint of our backbone and its head.

python tools/convert/convert_weights.py SRC DST --arch bninception --num-classes 1000
"""

import sys
from pathlib import Path

import torch

from mmattn.models.weights.conversion import ARCHITECTURES, SOURCES, convert
from mmattn.models.weights.pretrained import read_weights
from mmattn.utils.command_line import run_tool, tool_parser


def main() -> int:
    """Run the tool; the exit code is 1 when the file is not of the network."""
    parser = tool_parser(__doc__)
    parser.add_argument('src', help='published file, or its address')
    parser.add_argument('dst', help='checkpoint to write')
    parser.add_argument('--arch', required=True, choices=ARCHITECTURES)
    parser.add_argument(
        '--source',
        default='auto',
        choices=('auto', *SOURCES),
        help='where the file comes from; by default its names tell',
    )
    parser.add_argument(
        '--num-classes',
        type=int,
        help='classes of the head; a classifier of others is left out',
    )
    args = parser.parse_args()
    try:
        weights = read_weights(args.src)
        result = convert(
            weights, args.arch, source=args.source, num_classes=args.num_classes
        )
        print(result.report())
        content = result.checkpoint()
    except (OSError, ValueError) as error:
        print(f'{args.src}: {error}', file=sys.stderr)
        return 1
    Path(args.dst).parent.mkdir(parents=True, exist_ok=True)
    torch.save(content, args.dst)
    print(f'wrote {args.dst}')
    return 0


if __name__ == '__main__':
    sys.exit(run_tool(main))
