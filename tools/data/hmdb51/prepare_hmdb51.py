"""Write the lists of hmdb51 that the configs read.

Example: python tools/data/hmdb51/prepare_hmdb51.py data/hmdb51 --workers 8
"""

import sys

from mmattn.apis.video_lists import main

if __name__ == '__main__':
    sys.exit(main('hmdb51'))
