"""Write the lists of kinetics400 that the configs read.

Example: python tools/data/kinetics400/prepare_kinetics400.py --partial --workers 8
"""

import sys

from mmattn.prepare.video_lists import main
from mmattn.utils.command_line import run_tool

if __name__ == '__main__':
    sys.exit(run_tool(lambda: main('kinetics400')))
