"""Version of mmattn."""

__version__ = '0.1.0'
