"""Table of parameters, multiply-adds and time of models, head included.

python tools/analysis/complexity.py [CONFIG...] [--format md|json] [--repeats 5]

The input is one view of a test video as the config's pipeline packs it, in the center
crop. Times are medians on this machine.
"""

import json
import sys
import tempfile
from pathlib import Path

from mmengine.config import Config

from mmattn.inference.complexity import (
    Complexity,
    markdown,
    measure_complexity,
    sample_clip,
)
from mmattn.testing import make_tiny_data
from mmattn.utils.command_line import run_tool, tool_parser
from mmattn.utils.configs import configs_root, find_config
from mmattn.utils.logs import quiet_log
from mmattn.utils.progress import progress_bar


def all_configs() -> list[Path]:
    """Return every config of ours that is no base of others."""
    paths = sorted(configs_root().rglob('*.py'))
    return [path for path in paths if '_base_' not in path.parts]


def main() -> int:
    """Run the tool."""
    parser = tool_parser(__doc__)
    parser.add_argument(
        'configs', nargs='*', help='configs or their names; all of ours by default'
    )
    parser.add_argument('--format', choices=('md', 'json'), default='md')
    parser.add_argument(
        '--repeats', type=int, default=5, help='timed passes; 0 only counts'
    )
    parser.add_argument('--device', default='cpu', help='where to time')
    args = parser.parse_args()
    try:
        paths = [find_config(name) for name in args.configs] or all_configs()
    except ValueError as error:
        parser.error(str(error))
    rows: list[Complexity] = []
    missing = []
    with tempfile.TemporaryDirectory() as folder, quiet_log():
        data = make_tiny_data(folder)
        for path in progress_bar(paths, description='configs'):
            cfg = Config.fromfile(path)
            try:
                clips, infos = sample_clip(cfg, data)
                row = measure_complexity(
                    *(cfg, path.stem, clips, infos),
                    repeats=args.repeats,
                    device=args.device,
                )
            except Exception as error:  # reported below; the other configs go on
                missing.append(f'{path.stem}: {error!r}')
            else:
                rows.append(row)
    if args.format == 'json':
        print(json.dumps([row.as_dict() for row in rows], indent=2))
    else:
        print(markdown(rows))
    for message in missing:
        print(f'left out: {message}', file=sys.stderr)
    return 1 if missing else 0


if __name__ == '__main__':
    sys.exit(run_tool(main))
