"""One row of a paper's table, to be planned, run and printed."""

from mmattn.reports.rows import PaperRow


def make_row(**changes):
    values = dict(
        key='k',
        paper='p',
        table='1',
        row='r',
        dataset='d',
        metric='top-1, split 1',
        figure=50.0,
        configs=('a_8xb8-x.py',),
    )
    return PaperRow(**{**values, **changes})
