"""Frame-AP of one or more files of detections: a table of classes, and a picture.

Of two files the second is compared with the first: what each class gains, and in how
many classes it is better, and by more than --margin, of all and of AVA's three groups.

python tools/analysis/frame_ap.py ava_val_v2.2.csv without.csv with.csv
    --label-map ava_action_list_v2.2_for_activitynet_2019.pbtxt --out bars.png
"""

import json
import sys
from pathlib import Path

import cv2

from mmattn.evaluation import FrameAPs, frame_aps
from mmattn.evaluation.functional.frame_ap_changes import ap_changes
from mmattn.utils.command_line import run_tool, tool_parser
from mmattn.visualization.class_bars import draw_class_bars


def print_table(runs: dict[str, FrameAPs]) -> None:
    """Print classes, groups and means of all runs in columns."""
    tables = [run.table().splitlines() for run in runs.values()]
    for lines in zip(*tables, strict=True):
        print(lines[0] + ''.join(line[-8:] for line in lines[1:]))


def main() -> int:
    """Run the tool."""
    parser = tool_parser(__doc__)
    parser.add_argument('truth', help='csv of the ground truth')
    parser.add_argument(
        'detections', nargs='+', help='csv that mmattn.FrameMAP(out_file=...) wrote'
    )
    parser.add_argument('--label-map', required=True, help='pbtxt of the classes')
    parser.add_argument('--exclude', help='csv of frames to leave out')
    parser.add_argument('--names', nargs='+', help='names of the runs, for the picture')
    parser.add_argument('--out', help='picture of all classes, runs side by side')
    parser.add_argument('--json', help='also write the figures to this file')
    parser.add_argument(
        '--margin', type=float, default=1.0, help='points that count as much better'
    )
    args = parser.parse_args()
    names = args.names or [Path(path).stem for path in args.detections]
    if len(set(names)) != len(args.detections):
        parser.error(
            f'--names: expected {len(args.detections)} different ones, got {names}'
        )
    try:
        runs = {
            name: frame_aps(args.truth, path, args.label_map, args.exclude)
            for name, path in zip(names, args.detections, strict=True)
        }
    except (OSError, ValueError) as error:
        parser.error(str(error))
    print_table(runs)
    pair = list(runs.values()) if len(runs) == 2 else []
    changes = ap_changes(*pair, margin=args.margin) if pair else None
    if changes is not None:
        print(f'\n{names[1]} less {names[0]}\n{changes.table()}')
    if args.out:
        Path(args.out).parent.mkdir(parents=True, exist_ok=True)
        picture = cv2.cvtColor(draw_class_bars(runs), cv2.COLOR_RGB2BGR)
        if not cv2.imwrite(args.out, picture):
            parser.error(f'--out: expected a writable picture, got {args.out}')
    if args.json:
        report: dict[str, dict] = {
            name: dict(
                mean=run.mean,
                groups={k: v for k, v in run.groups.items() if v == v},  # no nan
                classes={run.names[label]: ap for label, ap in run.aps.items()},
            )
            for name, run in runs.items()
        }
        if changes is not None:
            points = {changes.names[k]: x for k, x in changes.points.items()}
            report['changes'] = dict(changes.counts(), classes_changed=points)
        Path(args.json).write_text(json.dumps(report, indent=2), encoding='utf-8')
    return 0


if __name__ == '__main__':
    sys.exit(run_tool(main))
