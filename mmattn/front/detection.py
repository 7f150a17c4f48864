"""Training on persons and their actions in AVA's layout, by the same command."""

from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmattn.datasets.proposals import load_proposals, save_proposals
from mmattn.front.configs import write_config
from mmattn.front.runs import run_test, run_training, write_model
from mmattn.front.training import CHECKPOINT, Training
from mmattn.inference.models import load_model
from mmattn.inference.persons import boxes_as_proposals
from mmattn.prepare.annotation_check import check_annotations, video_path
from mmattn.utils.configs import configs_root, environment
from mmattn.utils.logs import quiet_log
from mmattn.visualization.attention_files import DrawOptions
from mmattn.visualization.attention_pictures import draw_attention, writable_folder

CONFIGS = configs_root() / 'detection' / 'slowfast_attn'
TINY = 'slowfast_attn-tiny_i3d-r18_1xb8-16x4x1-20e_own-rgb.py'
FULL = 'slowfast_attn_k400-pre-i3d-r50_1xb8-32x2x1-20e_own-rgb.py'
NEEDED = ('videos', 'labels.pbtxt', 'train.csv', 'val.csv')
SHOWN = 2  # seconds on the page


def is_detection_folder(data: str | Path) -> bool:
    """Say whether a folder holds boxes of persons in AVA's layout."""
    return Path(data, 'videos').is_dir() and Path(data, 'labels.pbtxt').is_file()


def train_detector(
    data: str | Path,
    system: str = 'slowfast_attn',
    *,
    out: str | Path,
    weights: str | None = None,
    epochs: int | None = None,
    seed: int = 0,
    dry_run: bool = False,
    progress: bool = True,
) -> Training:
    """Train on persons and their actions, test, and draw what the model attends to.

    With weights the full model is trained, which needs a GPU; without, the small one,
    from nothing. Both configs are among ours.

    Args:
        data: Folder as docs/own_detection_data.md describes it. Where it has no
            proposals, the labeled boxes are proposed.
        system: ``'slowfast_attn'``.
        out: Folder for everything.
        weights: Kinetics weights of SlowOnly ResNet-50, for the full model.
        epochs: Epochs; None for the config's.
        seed: Seed of the training.
        dry_run: Whether to stop when the config is written.
        progress: Whether to print how it goes.

    Raises:
        FileNotFoundError: If a file of the layout is missing.
        ValueError: If the system has no detector, or annotations are wrong.
    """
    data = Path(data).resolve()
    names, notes = _checked(data, system)
    folder = writable_folder(out)
    cfg = _config(data, folder, names, weights, notes)
    if epochs is not None:
        cfg.train_cfg.max_epochs = epochs
    last = cfg.train_cfg.max_epochs
    cfg.train_cfg.val_begin = cfg.train_cfg.val_interval = last
    cfg.randomness = dict(seed=seed)
    config = write_config(folder / f'{system}.py', cfg)
    for note in notes if progress else ():
        print(note)
    if dry_run:
        return Training(folder, config, notes=notes)
    runs, found = folder / 'training', folder / 'found.csv'
    trained = run_training(cfg, runs, progress=progress)
    with quiet_log():
        model = load_model(cfg, trained)
    checkpoint = write_model(folder / CHECKPOINT, cfg, trained, model)
    test = Config(cfg._cfg_dict.to_dict())
    test.test_evaluator.out_file = str(found)
    figures = run_test(test, trained, runs)
    persons = _few_persons(cfg)
    videos = dict.fromkeys(key.rpartition(',')[0] for key in persons)
    pages, _ = draw_attention(
        {system: model},
        [video_path(data / 'videos', name) for name in videos],
        folder / 'attention',
        persons=persons,
        options=DrawOptions(),
        progress=False,
    )
    page = next(path for path in pages if path.name == 'index.html')
    return Training(folder, config, checkpoint, page, found, _sentence(figures), notes)


def _checked(data: Path, system: str) -> tuple[list[str], list[str]]:
    """Names of the classes from 1 on, and what the annotations hold."""
    if system != 'slowfast_attn':
        raise ValueError(
            f'--system: expected slowfast_attn for boxes of persons ({data}), got '
            f'{system}'
        )
    missing = [name for name in NEEDED if not (data / name).exists()]
    if missing:
        raise FileNotFoundError(
            f'{data}: expected {", ".join(NEEDED)}, got no {", ".join(missing)}'
        )
    notes: list[str] = []
    for part in ('train', 'val'):
        report = check_annotations(
            data / f'{part}.csv', data / 'videos', data / 'labels.pbtxt'
        )
        if report.problems:
            more = len(report.problems) - 1
            raise ValueError(
                report.problems[0] + (f'; {more} more lines are wrong' if more else '')
            )
        notes.append(f'{part}: {report.summary()}')
    return [report.names.get(k, '') for k in range(1, max(report.names) + 1)], notes


def _config(
    data: Path, out: Path, names: list[str], weights: str | None, notes: list[str]
) -> Config:
    cfg = _read(data, len(names), FULL if weights else TINY)
    for part in ('train', 'val'):
        file = _proposals(data, out, part, notes)
        cfg[f'{part}_dataloader'].dataset.proposal_file = str(file)
    cfg.test_dataloader = cfg.val_dataloader
    if weights:
        cfg.model.init_cfg = dict(type='Pretrained', checkpoint=weights)
    else:
        notes.append('no --weights: the small model is trained, from nothing')
    cfg.class_names = names
    return cfg


def _few_persons(cfg: Config) -> dict[str, Any]:
    """Boxes of the first seconds that have any."""
    proposals = load_proposals(cfg.val_dataloader.dataset.proposal_file)
    keys = [key for key in sorted(proposals) if len(proposals[key])]
    return {key: proposals[key] for key in keys[:SHOWN]}


def _sentence(figures: dict[str, float]) -> str:
    return f'frame-mAP at IoU 0.5: {100 * figures["mAP/overall"]:.1f} %'


def _proposals(data: Path, out: Path, part: str, notes: list[str]) -> Path:
    own = data / f'proposals_{part}.json'
    if own.is_file():
        return own
    made = out.resolve() / f'proposals_{part}.json'
    save_proposals(boxes_as_proposals(data / f'{part}.csv'), made)
    if part == 'val':
        notes.append(
            f'{own.name}: none, so the labeled boxes are proposed and tell the model '
            'where persons are: figures are too good; with a detector, '
            'make_proposals.py makes honest ones'
        )
    return made


def _read(data: Path, num_classes: int, name: str) -> Config:
    """Read one of our configs for this folder, whatever the environment says."""
    values = dict(MMATTN_DATA=str(data), MMATTN_CLASSES=str(num_classes))
    with environment(**values):
        return Config.fromfile(CONFIGS / name)
