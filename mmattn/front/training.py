"""What a training has left."""

from dataclasses import dataclass, field
from pathlib import Path

from mmattn.front.outcome import Outcome

CHECKPOINT = 'model.pth'


@dataclass(frozen=True)
class Training:
    """What a training has left.

    Args:
        out: Folder of it all.
        config: Config of the model, which reads videos.
        checkpoint: The model; None after ``dry_run``.
        page: Page about the test, with what the model attends to; None after
            ``dry_run``.
        scores: Scores of the test videos, for ``mmattn report``; of persons, a csv of
            what was found.
        outcome: Accuracy with its interval; of persons, their frame-mAP in a sentence.
        notes: What was left out, and how videos were split.
    """

    out: Path
    config: Path
    checkpoint: Path | None = None
    page: Path | None = None
    scores: Path | None = None
    outcome: Outcome | str | None = None
    notes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        if self.outcome is None:
            return f'config: {self.config}\ntrain it: mim train mmattn {self.config}'
        return '\n'.join(
            [
                str(self.outcome),
                f'page:       {self.page}',
                f'checkpoint: {self.checkpoint}',
                f'predict:    mmattn predict {self.out} VIDEO',
            ]
        )
