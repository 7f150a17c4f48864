"""Join parts of checkpoints that were trained apart into one.

python tools/convert/join_checkpoints.py OUT backbone=convnet.pth cls_head=head.pth
"""

import sys

import torch

from mmattn.models.weights.pretrained import read_weights
from mmattn.utils.command_line import run_tool, tool_parser


def main() -> int:
    """Run the tool."""
    parser = tool_parser(__doc__)
    parser.add_argument('out', help='checkpoint to write')
    parser.add_argument(
        'parts', nargs='+', metavar='PREFIX=FILE', help='take PREFIX.* from FILE'
    )
    args = parser.parse_args()
    weights = {}
    for part in args.parts:
        prefix, separator, path = part.partition('=')
        if not separator:
            parser.error(f'expected PREFIX=FILE, got {part!r}')
        found = {
            key: value
            for key, value in read_weights(path, prefixes=('module.',)).items()
            if key.startswith(f'{prefix}.')
        }
        if not found:
            parser.error(f'{path}: expected weights named {prefix}.*, got none')
        weights.update(found)
        print(f'{path}: {len(found)} tensors of {prefix}')
    torch.save({'state_dict': weights, 'meta': {}}, args.out)
    print(f'wrote {args.out}')
    return 0


if __name__ == '__main__':
    sys.exit(run_tool(main))
