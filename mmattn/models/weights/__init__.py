"""Published and own weights: layouts, conversion, inflation, loading."""
