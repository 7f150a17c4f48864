"""The front door: what ``import mmattn`` and the command ``mmattn`` offer."""
