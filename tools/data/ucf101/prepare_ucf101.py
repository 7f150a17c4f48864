"""Write the lists of ucf101 that the configs read.

Example: python tools/data/ucf101/prepare_ucf101.py data/ucf101 --workers 8
"""

import sys

from mmattn.apis.video_lists import main

if __name__ == '__main__':
    sys.exit(main('ucf101'))
