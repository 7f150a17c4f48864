"""Export of models to ONNX and torch.export, checked against PyTorch."""

import contextlib
import importlib.util
import io
import logging
import re
import traceback
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mmattn.inference.onnx_network import metadata_of
from mmattn.inference.score import ClipScorer
from mmattn.utils.files import replaced_atomically
from mmattn.utils.logs import quiet_log

FORMATS = {'.onnx': 'ONNX', '.pt2': 'torch.export'}
PACKAGES = ('onnx', 'onnxscript', 'onnxruntime')
OPERATOR = re.compile(
    r"OpOverload\(op='(?P<a>[\w.:]+)'|(?P<b>\b(?:aten|prims|mmattn|torchvision)(?:\.|::)\w+)"
)
# How torch.export shows the line that it cannot trace.
LINE = re.compile(r'raised this error:\s+File "([^"]+)", line (\d+), in \w+\s+(.+)')


class ExportError(RuntimeError):
    """A model holds an operator that cannot be exported; the message names it."""


def require_export_packages() -> None:
    """Check that the packages of ONNX export are installed.

    Raises:
        ImportError: If one is missing.
    """
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise ImportError(
            f'expected {", ".join(PACKAGES)} for ONNX export, got no '
            f'{", ".join(missing)}: pip install {" ".join(missing)}'
        )


def export(scorer: ClipScorer, clips: Sequence[Tensor], out: str | Path) -> Path:
    """Export a model for clips of one shape.

    Args:
        scorer: The model.
        clips: Arguments of ``scorer``, whose shapes become fixed.
        out: ``.onnx`` file, or ``.pt2`` file of ``torch.export``.

    Returns:
        The file. Weights of more than 2 GB lie beside an ``.onnx`` file, which carries
        config and names of the classes where the model has them.

    Raises:
        ExportError: If an operator cannot be exported.
        ImportError: If packages are missing.
        ValueError: If the file's suffix is neither.
    """
    path = Path(out)
    if path.suffix not in FORMATS:
        raise ValueError(
            f'out: expected a file ending in {" or ".join(FORMATS)}, got {path}'
        )
    if path.suffix == '.onnx':
        require_export_packages()
    with torch.no_grad():
        scorer(*clips)  # what the model itself refuses is no fault of an operator
    program = traced(scorer, clips)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == '.onnx':
        exported = to_onnx(program)
        exported.model.metadata_props.update(metadata_of(scorer.model))
        exported.save(path)
    else:
        with replaced_atomically(path) as part, part.open('wb') as file:
            torch.export.save(program, file)
    return path


def traced(scorer: nn.Module, clips: Sequence[Tensor]) -> torch.export.ExportedProgram:
    """Trace a model with ``torch.export``.

    Args:
        scorer: The model.
        clips: Its arguments.

    Raises:
        ExportError: If an operator cannot be traced.
    """
    try:
        with torch.no_grad(), _quiet():
            return torch.export.export(scorer, tuple(clips), strict=False)
    except Exception as error:
        raise ExportError(
            f'expected operators that torch.export can trace, got {_operator(error)}'
        ) from error


def to_onnx(program: torch.export.ExportedProgram) -> Any:
    """Translate a traced model to ONNX.

    Args:
        program: Result of :func:`traced`.

    Returns:
        A ``torch.onnx.ONNXProgram``.

    Raises:
        ExportError: If ONNX has no such operator.
        ImportError: If packages are missing.
    """
    require_export_packages()
    try:
        with torch.no_grad(), _quiet():
            return torch.onnx.export(
                program,
                dynamo=True,
                verbose=False,
                custom_translation_table=_translations(),
            )
    except Exception as error:
        raise ExportError(
            f'expected operators that ONNX has, got {_operator(error)}'
        ) from error


def largest_difference(
    scorer: ClipScorer, path: str | Path, clips: Sequence[Tensor]
) -> float:
    """Run an exported model and compare it with PyTorch.

    Args:
        scorer: The model that was exported.
        path: What :func:`export` wrote, run by onnxruntime or by PyTorch.
        clips: Arguments of the model; other values, the same shapes.

    Returns:
        Largest absolute difference of the outputs.
    """
    with torch.no_grad():
        expected = _as_tuple(scorer(*clips))
    if Path(path).suffix == '.pt2':
        with torch.no_grad(), _quiet():
            got = _as_tuple(torch.export.load(path).module()(*clips))
    else:
        got = _run_onnx(Path(path), clips)
    differences = [
        (a.double() - b.double()).abs().max().item()
        for a, b in zip(expected, got, strict=True)
    ]
    return max(differences)


def _run_onnx(path: Path, clips: Sequence[Tensor]) -> tuple[Tensor, ...]:
    require_export_packages()
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=['CPUExecutionProvider'])
    names = [value.name for value in session.get_inputs()]
    feed = {name: clip.numpy() for name, clip in zip(names, clips, strict=True)}
    return tuple(torch.from_numpy(output) for output in session.run(None, feed))


def _translations() -> dict[Any, Any]:
    """ONNX's operators for those of ours."""
    from onnxscript import INT64, opset18
    from onnxscript.onnx_types import FLOAT

    def translate(
        x: FLOAT,
        rois: FLOAT,
        size: Sequence[int],
        scale: float,
        sampling_ratio: int,
        aligned: bool,
    ) -> FLOAT:
        height, width = size
        index = opset18.Cast(opset18.Gather(rois, _constant(0), axis=1), to=INT64.dtype)
        boxes = opset18.Gather(rois, _constant([1, 2, 3, 4]), axis=1)
        return opset18.RoiAlign(
            x,
            boxes,
            index,
            coordinate_transformation_mode=(
                'half_pixel' if aligned else 'output_half_pixel'
            ),
            output_height=height,
            output_width=width,
            sampling_ratio=sampling_ratio,
            spatial_scale=scale,
        )

    def _constant(values: Any) -> Any:
        if isinstance(values, int):
            return opset18.Constant(value_int=values)
        return opset18.Constant(value_ints=values)

    return {torch.ops.mmattn.roi_align.default: translate}


def _operator(error: BaseException) -> str:
    """Name the operator that an error is about, or where it was raised."""
    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in chain:
        chain.append(link)
        link = link.__cause__ or link.__context__
    for link in reversed(chain):
        function = getattr(link, 'func', None)  # errors of traced tensors
        if isinstance(function, torch._ops.OpOverload):
            return str(function)
    for link in chain:
        line = LINE.search(str(link))
        if line:
            return f'`{line[3].strip()}` ({Path(line[1]).name}:{line[2]})'
    for link in reversed(chain):
        found = OPERATOR.search(str(link))
        if found:
            return found['a'] or found['b']
    frame = traceback.extract_tb(chain[-1].__traceback__)[-1]
    cause = ' '.join(str(chain[-1]).split())[:200]
    return f'{frame.name} ({Path(frame.filename).name}:{frame.lineno}): {cause}'


@contextlib.contextmanager
def _quiet() -> Any:
    """Keep back what PyTorch and onnxscript print and warn of about themselves."""
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        quiet_log(logger=logging.getLogger('torch.onnx')),
    ):
        warnings.simplefilter('ignore')
        yield


def _as_tuple(outputs: Any) -> tuple[Tensor, ...]:
    return outputs if isinstance(outputs, tuple) else (outputs,)
