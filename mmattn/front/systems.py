"""Models of the systems on a per-frame network, on frames and on its stored maps."""

from dataclasses import dataclass
from typing import Any

from mmattn.comparison.systems import RECOMMENDED
from mmattn.front.trunks import Trunk

SYSTEMS = ('temporal_lstm', 'stbta', 'pyramid', 'convlstm', 'slowfast_attn', 'none')
# What of the frozen network is stored: vectors, the last maps, or maps of all taps.
STORED = dict(
    temporal_lstm='features',
    none='features',
    stbta='maps',
    convlstm='maps',
    slowfast_attn='maps',
    pyramid='taps',
)
# Systems whose recommended form is not the one that is trained by default.
TUNED = tuple(RECOMMENDED)


@dataclass(frozen=True)
class Plan:
    """What a model is made for.

    Args:
        system: One of ``SYSTEMS``.
        trunk: Per-frame network.
        weights: Its weights, empty for none.
        num_classes: Number of classes.
        num_frames: Frames of a video that the model sees.
        finetune: Whether the network learns, too.
        attention: False for the system's twin without attention.
        tuned: Whether the system has its recommended form rather than the paper's, see
            ``TUNED``.
    """

    system: str
    trunk: Trunk
    weights: str
    num_classes: int
    num_frames: int = 16
    finetune: bool = False
    attention: bool = True
    tuned: bool = False

    def __post_init__(self) -> None:
        if self.system not in SYSTEMS:
            raise ValueError(
                f'--system: expected one of {", ".join(SYSTEMS)}, got {self.system!r}'
            )
        if self.num_frames < 2:
            raise ValueError(f'--frames: expected 2 or more, got {self.num_frames}')
        if self.tuned and self.system not in TUNED:
            raise ValueError(
                f'--tuned: expected --system {" or ".join(TUNED)}, whose recommended '
                f'form is another than by default, got {self.system!r}'
            )

    @property
    def stored(self) -> str:
        """What is stored of the network for the system, a value of ``STORED``."""
        if self.system == 'pyramid' and not self.attention:
            return 'maps'  # the twin averages the last ones alone
        if self.system == 'pyramid' and self.tuned:
            return 'features'  # whole frames
        return STORED[self.system]


def system_model(plan: Plan, *, stored: bool = False) -> dict[str, Any]:
    """Return the config of a model.

    Args:
        plan: What it is made for.
        stored: Whether its inputs are what :mod:`mmattn.front.stored` has stored of
            the frozen network rather than frames. The weights have the same names.
    """
    builders = dict(
        temporal_lstm=_temporal_lstm,
        none=_mean,
        stbta=_stbta,
        convlstm=_convlstm,
        slowfast_attn=_slowfast,
        pyramid=_pyramid,
    )
    return builders[plan.system](plan, stored)


def trunk_preprocessor(trunk: Trunk, kind: str) -> dict[str, Any]:
    """Return the config of a preprocessor for frames that a network takes."""
    cfg: dict[str, Any] = dict(type=kind, mean=trunk.mean, std=trunk.std)
    if trunk.reversed_channels:
        cfg['to_rgb'] = True  # reverses what is decoded as RGB
    return cfg


def _network(plan: Plan, out: str, stored: bool) -> dict[str, Any]:
    if stored:
        return dict(type='mmattn.StoredFeatures')
    return plan.trunk.config(out, weights=plan.weights, frozen=not plan.finetune)


def _frames(plan: Plan, out: str, head: dict[str, Any], stored: bool) -> dict[str, Any]:
    """A model of per-frame features and a head that reads the sequence."""
    kind = 'mmattn.FrameDataPreprocessor'
    return dict(
        type='mmattn.FrameRecognizer',
        freeze_backbone=not plan.finetune,
        backbone=_network(plan, out, stored),
        cls_head=dict(
            head,
            num_classes=plan.num_classes,
            in_channels=plan.trunk.channels(out),
            num_segments=plan.num_frames,
            topk=1,
            average_clips='prob',
        ),
        data_preprocessor=dict(type=kind)
        if stored
        else trunk_preprocessor(plan.trunk, kind),
    )


def _temporal_lstm(plan: Plan, stored: bool) -> dict[str, Any]:
    steps = plan.num_frames
    layer: dict[str, Any] = dict(
        num_steps=steps, hidden_channels=128, num_layers=1, attention=plan.attention
    )
    if plan.tuned:
        layer.update(RECOMMENDED['temporal_lstm'])
    head = dict(
        type='mmattn.TemporalLSTMHead',
        lstm=layer,
        test_steps=max(1, steps // 3),
        step_reduction='mean',
    )
    return _frames(plan, plan.trunk.last, head, stored)


def _convlstm(plan: Plan, stored: bool) -> dict[str, Any]:
    attention = 'videolstm' if plan.attention else 'none'
    layer = dict(hidden_channels=32, attention=attention, cell='lstm')
    head = dict(type='mmattn.ConvLSTMHead', recurrence=layer)
    return _frames(plan, plan.trunk.taps[-1], head, stored)


def _slowfast(plan: Plan, stored: bool) -> dict[str, Any]:
    layer: dict[str, Any] = dict(channels=64, num_layers=1, norm='layer')
    if plan.tuned:
        layer.update(RECOMMENDED['slowfast_attn'])
    head = dict(
        type='mmattn.SlowFastClipHead', attention=plan.attention, slowfast=layer
    )
    return _frames(plan, plan.trunk.taps[-1], head, stored)


def _segments(plan: Plan, stored: bool, **model: Any) -> dict[str, Any]:
    """A model with the host's head on the mean of the frames."""
    kind = 'ActionDataPreprocessor'
    preprocessor = dict(type=kind) if stored else trunk_preprocessor(plan.trunk, kind)
    return dict(
        **model,
        cls_head=dict(
            type='TSNHead',
            num_classes=plan.num_classes,
            in_channels=plan.trunk.channels(plan.trunk.last),
            dropout_ratio=0.5,
            topk=1,
            average_clips='prob',
        ),
        data_preprocessor=dict(preprocessor, format_shape='NCHW'),
    )


def _mean(plan: Plan, stored: bool) -> dict[str, Any]:
    network = _network(plan, plan.trunk.last, stored)
    return _segments(plan, stored, type='mmattn.SegmentRecognizer', backbone=network)


def _resumed(plan: Plan, stored: bool) -> dict[str, Any]:
    """The network as a whole; on stored maps it starts behind them."""
    network = plan.trunk.config(
        plan.trunk.last, weights=plan.weights, frozen=not plan.finetune
    )
    return dict(network, start=plan.trunk.rest) if stored else network


def _stbta(plan: Plan, stored: bool) -> dict[str, Any]:
    network = _resumed(plan, stored)
    if plan.attention:
        module = dict(type='mmattn.STBTA', t=1, zero_init=True)
        network = dict(
            type='mmattn.AttentionBackbone',
            backbone=network,
            attentions=[dict(before=plan.trunk.rest, module=module)],
        )
    return _segments(plan, stored, type='mmattn.SegmentRecognizer', backbone=network)


def _pyramid(plan: Plan, stored: bool) -> dict[str, Any]:
    trunk = plan.trunk
    channels: tuple[int, ...] = tuple(trunk.channels(tap) for tap in trunk.taps)
    taps: tuple[str, ...] = trunk.taps
    module: dict[str, Any] = dict(
        type='mmattn.PyramidAttentionNeck', in_channels=channels, top_size=_grid(trunk)
    )
    if not plan.attention:
        taps, channels = taps[-1:], channels[-1:]
        module = dict(type='mmattn.FrameMean')
    elif plan.tuned:
        taps, channels = (trunk.last,), (trunk.channels(trunk.last),)
        module.update(in_channels=channels, **RECOMMENDED['pyramid'])
    options = dict(stored_channels=channels) if stored else {}
    return _segments(
        plan,
        stored,
        type='mmattn.ReductionRecognizer',
        backbone=_resumed(plan, stored),
        reduction=dict(taps=taps, module=module),
        **options,
    )


def _grid(trunk: Trunk) -> tuple[int, int]:
    """Height and width of the last tap's maps."""
    side = 8 if trunk.size == 299 else trunk.size // 32
    return side, side
