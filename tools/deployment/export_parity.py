"""Export models of configs and print how far the results are from PyTorch's.

python tools/deployment/export_parity.py CONFIG... [--shrink]

Weights are random, so large that scores differ. With --shrink models and data are
those of the tests. The clip that is compared is not the one that was traced.
"""

import sys
import tempfile
from pathlib import Path

import torch
from mmengine.config import Config
from torch import nn

from mmattn.inference.export import FORMATS, ExportError, export, largest_difference
from mmattn.inference.models import load_model
from mmattn.inference.score import ClipScorer, first_clip
from mmattn.testing import make_tiny_data, shrink
from mmattn.utils.command_line import run_tool, tool_parser
from mmattn.utils.configs import find_config
from mmattn.utils.logs import quiet_log


def parity_row(cfg: Config, name: str, folder: Path) -> tuple[str, bool]:
    """Return a row of the table, and whether everything was exported."""
    torch.manual_seed(0)
    clips, infos = first_clip(cfg)
    model = load_model(cfg, options={'channels_last': False})
    scorer = ClipScorer(with_large_weights(model), infos)
    with torch.no_grad():
        scores = scorer(*clips)
    scores = scores[0] if scorer.reads_boxes else scores
    cells, exported = [f'{scores.max() - scores.min():.2f}'], True
    blank = (torch.zeros_like(clips[0]), *clips[1:])
    for suffix in FORMATS:
        try:
            path = export(scorer, blank, folder / f'model{suffix}')
            cells.append(f'{largest_difference(scorer, path, clips):.1e}')
        except ExportError as error:
            cells.append(f'no: {error}')
            exported = False
    shapes = ', '.join(' x '.join(map(str, clip.shape)) for clip in clips)
    return f'| {name} | {shapes} | {" | ".join(cells)} |', exported


def with_large_weights(model: nn.Module) -> nn.Module:
    """Return the model with weights drawn by He's rule, classifiers wider."""
    for name, parameter in model.named_parameters():
        if parameter.dim() > 1:
            nn.init.kaiming_normal_(parameter)
            if 'fc_cls' in name:
                parameter.data.mul_(3)
    return model


def main() -> int:
    """Run the tool."""
    parser = tool_parser(__doc__)
    parser.add_argument('configs', nargs='+', help='configs or their names')
    parser.add_argument('--shrink', action='store_true', help='small models and data')
    args = parser.parse_args()
    print(f'| config | input | range of the scores | {" | ".join(FORMATS.values())} |')
    print('|---|---|---|' + '---|' * len(FORMATS))
    complete = True
    with tempfile.TemporaryDirectory() as folder:
        if args.shrink:
            data = make_tiny_data(Path(folder) / 'data')
        for name in args.configs:
            try:
                path = find_config(name)
            except ValueError as error:
                parser.error(str(error))
            cfg = Config.fromfile(path)
            if args.shrink:
                cfg = shrink(cfg, data)
            with quiet_log():
                row, exported = parity_row(cfg, f'`{path.stem}`', Path(folder))
            complete &= exported
            print(row, flush=True)
    return 0 if complete else 1


if __name__ == '__main__':
    sys.exit(run_tool(main))
