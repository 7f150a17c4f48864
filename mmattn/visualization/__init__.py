"""Pictures of what a model attends to."""

from mmattn.visualization.contact_sheet import save_picture
from mmattn.visualization.export import load_records, save_records
from mmattn.visualization.timeline import draw_timeline

__all__ = ['draw_timeline', 'load_records', 'save_picture', 'save_records']
