"""Join the configs of two streams into one that trains or tests both in one process.

python tools/convert/join_streams.py RGB_CONFIG FLOW_CONFIG --out two_stream.py
"""

import sys

from mmengine.config import Config

from mmattn.reports.two_streams import join_streams
from mmattn.utils.command_line import run_tool, tool_parser
from mmattn.utils.configs import add_split_option, find_config, set_split


def main() -> int:
    """Run the tool."""
    parser = tool_parser(__doc__)
    parser.add_argument('rgb', help='config of the RGB stream')
    parser.add_argument('flow', help='config of the flow stream')
    parser.add_argument('--weights', nargs=2, type=float, default=[1.0, 1.0])
    parser.add_argument('--out', required=True, help='config to write')
    add_split_option(parser)
    args = parser.parse_args()
    set_split(args.split)
    try:
        rgb, flow = (Config.fromfile(find_config(x)) for x in (args.rgb, args.flow))
        join_streams(rgb, flow, weights=args.weights).dump(args.out)
    except ValueError as error:
        parser.error(str(error))
    print(args.out)
    return 0


if __name__ == '__main__':
    sys.exit(run_tool(main))
