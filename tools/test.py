"""Test a model: MMAction2's test.py with the options of mmattn added.

python tools/test.py CONFIG CHECKPOINT [--bf16] [--split N] [--dump FILE.pkl] [...]
"""

import sys

from mmattn.engine.host_tools import run_host_tool, test_in_bf16
from mmattn.utils.command_line import run_tool

if __name__ == '__main__':
    sys.exit(run_tool(lambda: run_host_tool('test.py', test_in_bf16, __doc__)))
