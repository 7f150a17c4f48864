"""Tests; a package, so that processes that they spawn find them."""
