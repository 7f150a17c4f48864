"""Training and testing in this process, with a calm console."""

import contextlib
import io
import logging
import time
import uuid
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.logging import MMLogger
from mmengine.runner import Runner

import mmattn
from mmattn.engine import host_tools
from mmattn.models.weights.pretrained import read_weights
from mmattn.utils.files import replaced_atomically

SECONDS = 10  # between two lines about a training
LOG_FILE_ONLY = (*host_tools.LOG_FILE_ONLY, 'The prefix is not set in metric class')


class CalmRunner(Runner):
    """MMEngine's runner whose console shows warnings only; the log file holds all.

    MMEngine names a run by the second in which it starts, and runs of one name share
    their log and their figures; here each has a name of its own.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        name = options.pop('experiment_name', None) or uuid.uuid4().hex
        super().__init__(*args, experiment_name=name, **options)

    def build_logger(self, *args: Any, **options: Any) -> MMLogger:
        """Build the logger as MMEngine does."""
        logger = super().build_logger(*args, **options)
        host_tools.calm_console(logger, texts=LOG_FILE_ONLY, level=logging.WARNING)
        return logger

    def train(self) -> Any:
        """Train, and end the processes that read data for it."""
        model = super().train()
        self._end_readers(self._train_loop, self._val_loop)
        return model

    def test(self) -> dict[str, float]:
        """Test, and end the processes that read data for it."""
        figures = super().test()
        self._end_readers(self._test_loop)
        return figures

    def _end_readers(self, *loops: Any) -> None:
        """End them while their queues are there.

        As garbage, queues go first; then each process is waited for in vain, 5 seconds.
        """
        for loop in loops:
            if loop is not None:
                loop.dataloader._iterator = None


class SayEpochs(Hook):
    """Print a line about the training now and then.

    Args:
        shown: Whether to print.
    """

    priority = 'VERY_LOW'

    def __init__(self, *, shown: bool = True) -> None:
        self.shown = shown
        self.said = time.monotonic()

    def after_train_epoch(self, runner: Runner) -> None:
        """Print the epoch and its loss."""
        last = runner.epoch + 1 == runner.max_epochs
        if self.shown and (last or time.monotonic() - self.said >= SECONDS):
            self.said = time.monotonic()
            loss = runner.message_hub.get_scalar('train/loss').mean(20)
            print(
                f'  epoch {runner.epoch + 1} of {runner.max_epochs}: loss {loss:.3f}',
                flush=True,
            )


def run_training(cfg: Config, work_dir: str | Path, *, progress: bool = True) -> Path:
    """Train a config, going on from the last checkpoint of the folder if there is one.

    Args:
        cfg: The config.
        work_dir: Folder of the run.
        progress: Whether to print how it goes.

    Returns:
        The last checkpoint.
    """
    cfg = Config(dict(cfg._cfg_dict.to_dict(), work_dir=str(work_dir)))
    cfg.resume = Path(work_dir, 'last_checkpoint').is_file()
    runner: Any = CalmRunner.from_cfg(cfg)
    runner.register_hook(SayEpochs(shown=progress))
    runner.train()
    return Path(Path(work_dir, 'last_checkpoint').read_text().strip())


def run_test(
    cfg: Config,
    checkpoint: str | Path,
    work_dir: str | Path,
    scores: str | Path | None = None,
) -> dict[str, float]:
    """Test a checkpoint and write the scores of the videos.

    Args:
        cfg: The config.
        checkpoint: The checkpoint.
        work_dir: Folder of the run.
        scores: File to write, as ``tools/test.py --dump`` does; None for none.

    Returns:
        Figures of the test by name.
    """
    cfg = Config(dict(cfg._cfg_dict.to_dict(), work_dir=str(work_dir)))
    cfg.load_from = str(checkpoint)
    if scores is not None:
        dump = dict(type='DumpResults', out_file_path=str(scores))
        cfg.test_evaluator = [cfg.test_evaluator, dump]
    with contextlib.redirect_stdout(io.StringIO()):  # MMEngine prints what it loads
        return CalmRunner.from_cfg(cfg).test()


def write_model(out: str | Path, cfg: Config, trained: str | Path, model: Any) -> Path:
    """Write one checkpoint of a frozen network and what was trained on its maps.

    It carries all that prediction needs: the config, with sampling, mean and standard
    deviation, the names of the classes, and the versions.

    Args:
        out: File to write.
        cfg: Config of the model on frames.
        trained: Checkpoint of the training.
        model: Model on frames, with the weights of its network.

    Returns:
        The file.

    Raises:
        ValueError: If weights of the training are none of the model's.
    """
    state = model.cpu().state_dict()
    weights = read_weights(str(trained), prefixes=('module.',))
    unknown = sorted(set(weights) - set(state))
    if unknown:
        raise ValueError(f'{trained}: expected weights of the model, got {unknown[:3]}')
    learned = [name for name, value in model.named_parameters() if value.requires_grad]
    missing = sorted(set(learned) - set(weights))
    if missing:
        raise ValueError(f'{trained}: expected the weights {missing[:3]}, got none')
    content = dict(
        state_dict=dict(state, **weights),
        meta=dict(
            cfg=cfg.pretty_text,
            dataset_meta=dict(classes=list(cfg.class_names)),
            mmattn_version=mmattn.__version__,
            torch_version=str(torch.__version__),
            time=time.strftime('%Y-%m-%d %H:%M:%S'),
        ),
    )
    out = Path(out)
    with replaced_atomically(out) as part:
        torch.save(content, part)
    return out
