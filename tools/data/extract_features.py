"""Extract per-frame features once, to train a head on stored features.

python tools/data/extract_features.py CONFIG CHECKPOINT OUT [--lists train test]
"""

import sys

from mmengine.config import Config, DictAction

from mmattn.prepare.features import LISTS, extract_features
from mmattn.utils.command_line import run_tool, tool_parser
from mmattn.utils.configs import add_split_option, find_config, set_split


def main() -> int:
    """Run the tool; the exit code is 1 when videos could not be read."""
    parser = tool_parser(__doc__)
    parser.add_argument('config', help='config of a mmattn.FrameRecognizer on videos')
    parser.add_argument('checkpoint', help="weights of the config's backbone")
    parser.add_argument('out', help='folder for the features and their lists')
    parser.add_argument('--lists', nargs='+', choices=LISTS, default=['train', 'test'])
    parser.add_argument('--device', default='cpu', help='such as cuda:0')
    parser.add_argument('--workers', type=int, default=2, help='decoding processes')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction)
    add_split_option(parser)
    args = parser.parse_args()
    set_split(args.split)
    cfg = Config.fromfile(find_config(args.config))
    if args.cfg_options:
        cfg.merge_from_dict(args.cfg_options)

    broken = extract_features(
        cfg,
        args.checkpoint,
        args.out,
        lists=tuple(args.lists),
        device=args.device,
        workers=args.workers,
    )
    for message in broken:
        print(f'left out: {message}', file=sys.stderr)
    if broken:
        print(f'{len(broken)} videos left out, see above', file=sys.stderr)
    return 1 if broken else 0


if __name__ == '__main__':
    sys.exit(run_tool(main))
