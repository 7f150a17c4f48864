"""From archives and folders to lists: splits, checks, flow, features, AVA frames."""
