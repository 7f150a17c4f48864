"""Train a model: MMAction2's train.py with the options of mmattn added.

python tools/train.py CONFIG [--bf16] [--split N] [any option of MMAction2's script]
"""

import sys

from mmattn.engine.host_tools import run_host_tool, train_in_bf16
from mmattn.utils.command_line import run_tool

if __name__ == '__main__':
    sys.exit(run_tool(lambda: run_host_tool('train.py', train_in_bf16, __doc__)))
