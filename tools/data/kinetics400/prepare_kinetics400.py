"""Write the lists of kinetics400 that the configs read.

Example: python tools/data/kinetics400/prepare_kinetics400.py --partial --workers 8
"""

import sys

from mmattn.apis.video_lists import main

if __name__ == '__main__':
    sys.exit(main('kinetics400'))
