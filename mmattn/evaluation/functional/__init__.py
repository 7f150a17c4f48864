"""Metrics as pure functions; :mod:`mmattn.evaluation` names them."""
