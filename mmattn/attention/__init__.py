"""Record attention of any module, and tell maps from rows, frames and regions."""
