"""Arguments of the tools that draw what a model does with videos."""

import argparse

from mmattn.utils.configs import add_split_option


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the model, the videos, and what all of these tools ask of them.

    Args:
        parser: Parser of a tool; it gets the positional ``model`` and ``videos``, of
            which :func:`mmattn.inference.find.split_command` tells the weights, and
            ``--out``, ``--map``, ``--persons``, ``--classes``, ``--device`` and
            ``--split``.
    """
    parser.add_argument(
        'model',
        help='work folder, checkpoint that carries its config, or config (or its name) '
        'followed by its weights',
    )
    parser.add_argument(
        'videos',
        nargs='+',
        help='video files or folders of them; folders of frames or flow for models '
        'that read those',
    )
    parser.add_argument('--out', required=True, help='folder for the results')
    parser.add_argument(
        '--map',
        nargs='+',
        metavar='PATTERN',
        help="names of the attention maps, such as 'backbone.*'; all by default",
    )
    parser.add_argument(
        '--persons',
        help='for detectors: file with the boxes of persons by "video,second", .json, '
        '.npz or .pkl as of AVA; clips around those seconds are taken',
    )
    parser.add_argument('--classes', help='text file with a class name per line')
    parser.add_argument('--device', default='cpu', help='such as cuda:0')
    add_split_option(parser)
