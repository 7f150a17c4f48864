"""Write the lists of hmdb51 that the configs read.

Example: python tools/data/hmdb51/prepare_hmdb51.py data/hmdb51 --workers 8
"""

import sys

from mmattn.prepare.video_lists import main
from mmattn.utils.command_line import run_tool

if __name__ == '__main__':
    sys.exit(run_tool(lambda: main('hmdb51')))
