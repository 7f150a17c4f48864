"""Write the lists of ucf101 that the configs read.

Example: python tools/data/ucf101/prepare_ucf101.py data/ucf101 --workers 8
"""

import sys

from mmattn.prepare.video_lists import main
from mmattn.utils.command_line import run_tool

if __name__ == '__main__':
    sys.exit(run_tool(lambda: main('ucf101')))
