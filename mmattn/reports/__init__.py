"""Figures of runs: by class, by stream, over splits, and rows of the papers."""
