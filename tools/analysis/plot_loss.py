"""Draw the loss of a run's training and validation against its epochs.

python tools/analysis/plot_loss.py work_dirs/NAME [--out loss.png]

Reads the log that every run leaves. The validation loss is in it if the config has
dict(type='mmattn.ValLossHook') among its custom_hooks.
"""

import sys
from pathlib import Path

from mmattn.utils.command_line import run_tool, tool_parser
from mmattn.visualization.loss_curve import find_log, read_losses, save_losses


def main() -> int:
    """Run the tool."""
    parser = tool_parser(__doc__)
    parser.add_argument('run', help='work dir of a run, or its scalars.json')
    parser.add_argument('--out', default='loss.png', help='picture to write')
    args = parser.parse_args()
    try:
        curve = read_losses(find_log(args.run))
    except (OSError, ValueError) as error:
        parser.error(str(error))
    save_losses(curve, args.out, title=Path(args.run).name)
    if not curve.val:
        print('no validation loss in the log: its config has no mmattn.ValLossHook')
    print(args.out)
    return 0


if __name__ == '__main__':
    sys.exit(run_tool(main))
