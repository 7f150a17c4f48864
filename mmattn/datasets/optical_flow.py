"""Optical flow between successive frames of a video."""

from collections.abc import Callable, Iterable, Iterator

import cv2
import numpy as np

from .transforms.flow import quantize_flow

METHODS = ('tvl1', 'farneback', 'dis')
FlowFunction = Callable[[np.ndarray, np.ndarray], np.ndarray]


def flow_function(method: str) -> FlowFunction:
    """Return the function of two gray frames that gives the flow in pixels.

    ``'tvl1'`` is what two-stream papers use; ``'farneback'`` and ``'dis'`` (dense
    inverse search) are faster by far and give other flow.  All with OpenCV's defaults.

    Args:
        method: One of these names.

    Shape:
        The function: two frames (H, W), uint8, to (H, W, 2), float32, x and y.

    Raises:
        ImportError: If OpenCV lacks TV-L1.
        ValueError: If the method is unknown.

    Example:
        >>> frame = np.zeros((32, 32), np.uint8)
        >>> flow_function('farneback')(frame, frame).shape
        (32, 32, 2)
    """
    if method == 'tvl1':
        if not hasattr(cv2, 'optflow'):
            raise ImportError(
                "expected cv2.optflow of the package opencv-contrib-python for 'tvl1', "
                f'got OpenCV {cv2.__version__} without it: `pip install '
                "opencv-contrib-python`, or choose 'farneback' or 'dis'"
            )
        tvl1 = cv2.optflow.createOptFlow_DualTVL1()
        return lambda first, second: tvl1.calc(first, second, None)
    if method == 'farneback':
        # scale, levels, window, iterations, neighborhood, its deviation, flags
        settings = (0.5, 3, 15, 3, 5, 1.2, 0)
        return lambda first, second: cv2.calcOpticalFlowFarneback(
            first, second, None, *settings
        )
    if method == 'dis':
        dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        return lambda first, second: dis.calc(first, second, None)
    raise ValueError(f'method: expected one of {METHODS}, got {method!r}')


def flow_fields(
    frames: Iterable[np.ndarray],
    compute: FlowFunction,
    *,
    bound: float = 20.0,
    size: tuple[int, int] | None = None,
) -> Iterator[np.ndarray]:
    """Yield the quantized flow from each frame to the next.

    Args:
        frames: RGB frames.
        compute: See :func:`flow_function`.
        bound: Largest stored motion in pixels, see
            :func:`~mmattn.datasets.transforms.flow.quantize_flow`.
        size: Width and height to which frames are resized before; None keeps theirs.

    Shape:
        Frames (H, W, 3), uint8; fields (H, W, 2), uint8, one fewer.

    Example:
        >>> frames = np.zeros((3, 32, 32, 3), np.uint8)
        >>> [field.max() for field in flow_fields(frames, flow_function('dis'))]
        [np.uint8(128), np.uint8(128)]
    """
    previous = None
    for frame in frames:
        gray = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
        if size is not None:
            gray = cv2.resize(gray, size)
        if previous is not None:
            yield quantize_flow(compute(previous, gray), bound)
        previous = gray
