"""Pictures inside of HTML pages."""

import base64
import io

import numpy as np
from PIL import Image

JPEG_QUALITY = 85


def jpeg_base64(picture: np.ndarray) -> str:
    """Return an RGB picture as base64 of a JPEG file.

    Args:
        picture: Picture of uint8.

    Shape:
        - picture: (H, W, 3).

    Example:
        >>> jpeg_base64(np.zeros((2, 2, 3), np.uint8))[:4]
        '/9j/'
    """
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, 'JPEG', quality=JPEG_QUALITY)
    return base64.b64encode(buffer.getvalue()).decode('ascii')
