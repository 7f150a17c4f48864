"""Try attention in a backbone of every family of MMAction2, and print what works.

python tools/dev/host_backbones.py --only tsn slowonly

Of each folder of MMAction2's recognition configs the first one with published weights
is taken; a squeeze-and-excitation gate goes before its second outermost place, or, in a
transformer, before its second block.
"""

import gc
import sys
from pathlib import Path
from typing import Any, NamedTuple

import torch
import yaml
from mmengine.config import Config

from mmattn.attention.token_places import input_shape
from mmattn.front.attach import attach
from mmattn.inference.models import load_model
from mmattn.models.backbones.trial_run import (
    PlaceShapes,
    called_places,
    in_eval_mode,
    run_on_zeros,
)
from mmattn.utils.command_line import run_tool, silence_stack, tool_parser
from mmattn.utils.configs import host_configs_root
from mmattn.utils.logs import quiet_log
from mmattn.utils.progress import progress_bar

BLOCKS = ('blocks.1', 'transformer_layers.layers.1')


class Line(NamedTuple):
    """What was found of a family.

    Args:
        family: Folder of its configs.
        backbone: Class of the backbone.
        places: Names of places.
        result: What came of attention there.
    """

    family: str
    backbone: str
    places: str
    result: str


def families() -> dict[str, Path]:
    """Return the first config with published weights of each family."""
    root = host_configs_root()
    assert root is not None
    found = {}
    for metafile in sorted((root / 'recognition').glob('*/metafile.yml')):
        content = yaml.safe_load(metafile.read_text(encoding='utf-8'))
        for model in content.get('Models', ()):
            path = metafile.parent / Path(model['Config']).name
            if model.get('Weights') and path.is_file():
                found[metafile.parent.name] = path
                break
    return found


def try_family(family: str, config: Path) -> Line:
    """Build a backbone bare and with attention, and compare their outputs."""
    cfg = Config.fromfile(config)
    kind = str(cfg.model.backbone.type)
    try:
        bare = load_model(cfg).backbone
        shapes = PlaceShapes()
        shape = input_shape(bare)
        run_on_zeros(bare, shapes, shape)
        places = called_places(bare, shapes)
    except Exception as error:  # of any library
        return Line(family, kind, '', f'does not build: {_short(error)}')
    named = ', '.join(f'`{name}`' for name in places[:5])
    named += ', ...' if len(places) > 5 else ''
    place = next((name for name in BLOCKS if name in shapes), places[1])
    try:
        attended = attach(config, 'se', place)
        network = load_model(attended).backbone
        missing, unexpected = network.load_state_dict(bare.state_dict(), strict=False)
        same = _same(bare, network, shape)
    except Exception as error:
        return Line(family, kind, named, f'not before `{place}`: {_short(error)}')
    fit = not unexpected and all(key.startswith('attentions.') for key in missing)
    words = [
        f'before `{place}`',
        'first output equal' if same else 'first output differs',
        'names of weights fit' if fit else 'names of weights differ',
    ]
    return Line(family, kind, named, '; '.join(words))


def _same(bare: Any, network: Any, shape: Any) -> bool:
    outputs = []
    for net in (bare, network):
        seen: list[Any] = []
        handles = (
            net.register_forward_pre_hook(_noise),
            net.register_forward_hook(
                lambda _, x, y, seen=seen: seen.append(_tensors(y))
            ),
        )
        with in_eval_mode(net), torch.no_grad():
            run_on_zeros(net, PlaceShapes(), shape)
        for handle in handles:
            handle.remove()
        outputs.append(seen[-1])
    return all(
        torch.allclose(a, b, rtol=1e-5, atol=1e-6)
        for a, b in zip(*outputs, strict=True)
    )


def _noise(net: Any, inputs: Any) -> Any:
    """Put the same noise in place of zeros."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(inputs[0].shape, generator=generator), *inputs[1:]


def _tensors(output: Any) -> list[torch.Tensor]:
    if isinstance(output, torch.Tensor):
        return [output]
    if isinstance(output, (list, tuple)):
        return [tensor for part in output for tensor in _tensors(part)]
    return []


def _short(error: Exception) -> str:
    text = ' '.join(str(error).split()).replace('|', '/')
    return text[:120] + ('...' if len(text) > 120 else '')


def table(lines: list[Line]) -> str:
    """Return the lines as a table."""
    rows = ['| configs | backbone | places | attention |', '|---|---|---|---|']
    rows += [f'| {f} | `{b}` | {p} | {r} |' for f, b, p, r in lines]
    return '\n'.join(rows)


def main() -> int:
    """Run the tool."""
    parser = tool_parser(__doc__)
    parser.add_argument('--only', nargs='+', help='families; all by default')
    args = parser.parse_args()
    silence_stack()
    lines = []
    found = families()
    with quiet_log():
        for family in progress_bar(args.only or sorted(found), description='families'):
            lines.append(try_family(family, found[family]))
            gc.collect()
    print(table(lines))
    return 0


if __name__ == '__main__':
    sys.exit(run_tool(main))
