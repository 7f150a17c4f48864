"""Small helpers used across the package."""
