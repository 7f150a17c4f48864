"""List systems, networks and attention modules, with what they cost.

python tools/models.py
"""

import sys

from mmattn.front.catalogue import catalogue_text
from mmattn.utils.command_line import run_tool, tool_parser
from mmattn.utils.logs import quiet_log


def main() -> int:
    """Run the tool."""
    tool_parser(__doc__).parse_args()
    with quiet_log():
        print(catalogue_text())
    return 0


if __name__ == '__main__':
    sys.exit(run_tool(main))
