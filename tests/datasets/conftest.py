"""Fixtures of the tests of data sets."""

import pytest


@pytest.fixture
def warnings_logged(monkeypatch):
    """Messages of level WARNING that our data sets log."""
    from mmattn.datasets import base

    messages = []

    def record(message, logger, level):
        assert (logger, level) == ('current', 30)
        messages.append(message)

    monkeypatch.setattr(base, 'print_log', record)
    return messages
