"""Hook that draws during training what the model attends to."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper

from mmattn.inference.inputs import read_input
from mmattn.registry import HOOKS
from mmattn.signatures import Positive
from mmattn.utils.arrays import evenly


@HOOKS.register_module()
class AttentionPictureHook(Hook):
    """Draw the attention of a few fixed validation videos after validations.

    A sheet of frames with every map over it goes to the visualization backends (local
    files, TensorBoard) under the name ``attention_<video>``. The videos are read once,
    before training, so that mistakes show at once.

    Args:
        indices: Which videos of the validation set.
        interval: Draw after every so many validations.
        names: Patterns of the maps; all by default.
        num_columns: Most frames on a sheet.
        style: Options of :class:`mmattn.visualization.heat_overlay.OverlayStyle`.

    Raises:
        ValueError: If an option is out of range, or the validation set has no such
            video or no pictures (stored features).
    """

    priority = 'ABOVE_NORMAL'  # while EMAHook's averaged weights are in the model

    def __init__(
        self,
        indices: Sequence[int] = (0,),
        *,
        interval: Positive = 1,
        names: Sequence[str] | None = None,
        num_columns: Positive = 8,
        style: dict[str, Any] | None = None,
    ) -> None:
        from mmattn.visualization.heat_overlay import OverlayStyle

        self.indices = list(indices)
        self.interval = interval
        self.names = names
        self.num_columns = num_columns
        self.style = OverlayStyle(**(style or {}))
        self.seen: dict[str, Any] = {}

    def before_train(self, runner: Any) -> None:
        """Read the videos."""
        if not is_main_process():
            return
        dataset = runner.val_dataloader.dataset
        for index in self.indices:
            if not 0 <= index < len(dataset):
                raise ValueError(
                    f'indices: expected 0 to {len(dataset) - 1}, the videos of the '
                    f'validation set, got {index}'
                )
            info = dataset.get_data_info(index)
            if hasattr(dataset, 'open_sample'):
                info = dataset.open_sample(info)
            source = Path(info.get('filename') or info['frame_dir'])
            seen = read_input(dataset.pipeline, info)
            seen.pictures()  # raises where the input is no picture
            self.seen[f'attention_{source.stem}_{index}'] = seen

    def after_val_epoch(
        self, runner: Any, metrics: dict[str, float] | None = None
    ) -> None:
        """Draw, if it is time."""
        from mmattn.visualization.contact_sheet import draw_sheet
        from mmattn.visualization.drawable_attention import (
            drawable_attention,
            overlay_rows,
        )

        loop = runner.train_loop
        step = runner.epoch if hasattr(loop, 'max_epochs') else runner.iter
        if not is_main_process() or step // loop.val_interval % self.interval:
            return
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        for name, seen in self.seen.items():
            attended = drawable_attention(model, seen, names=self.names)
            numbers = list(attended.pictures)
            kept = evenly(len(numbers), self.num_columns)
            rows = overlay_rows(attended, self.style, kept)
            title = f'step {step} · {attended.outcome()}'
            sheet = draw_sheet(rows, [numbers[k] for k in kept], title=title)
            runner.visualizer.add_image(name, sheet, step)
