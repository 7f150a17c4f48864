"""What the papers say is where ``claims.yml`` says it is."""

import re
from pathlib import Path

import pytest

from mmattn.reports.claims import (
    claims_page,
    load_claims,
    value_tests,
    with_part,
)
from mmattn.reports.rows import find_rows, load_rows

ROOT = Path(__file__).resolve().parents[2]
PAPERS = load_claims()
papers = pytest.mark.parametrize('paper', PAPERS, ids=lambda paper: paper.key)
RUN = 'run: python tools/paper_rows.py --write-pages'


def read(path):
    return (ROOT / path).read_text(encoding='utf-8')


def test_every_paper_has_its_claims():
    keys = ['slowfast_attn', 'convlstm', 'pyramid', 'stbta', 'temporal_lstm']
    assert [paper.key for paper in PAPERS] == keys


@papers
def test_what_is_named_exists(paper):
    rows = load_rows()
    for claim in paper.claims:
        if 'rows' in claim:
            assert find_rows(rows, [claim['rows']])
        if 'see' in claim:
            path, _, test = claim['see'].partition('::')
            assert not test or re.search(rf'^def {test}\(', read(path), re.M), claim
            assert (ROOT / path).is_file(), claim


@papers
def test_nothing_is_open_but_what_needs_real_data(paper):
    left = [claim['not_done'] for claim in paper.claims if 'not_done' in claim]
    assert all(reason.startswith('needs the real data') for reason in left)


@papers
def test_rows_are_all_claimed(paper):
    patterns = [claim['rows'] for claim in paper.claims if 'rows' in claim]
    rows = [row for row in load_rows() if row.table_key.startswith(f'{paper.key} ')]
    claimed = {row.id for row in find_rows(rows, patterns)}
    left = {row.id for row in rows} - claimed
    assert all(' twin' in row.table_key for row in rows if row.id in left)


@papers
def test_values_of_equations_are_tested(paper):
    numbers = set()
    for entry in paper.equations:
        for test in entry.get('values', ()):
            assert re.search(rf'^def {test}\(', read(entry['test']), re.M), entry
        found = (
            re.findall(r'\((\d+)\)', entry['paper']) if 'Eq.' in entry['paper'] else []
        )
        if '-' in entry['paper'] and len(found) == 2:
            found = range(int(found[0]), int(found[1]) + 1)
        numbers |= {f'eq_{n}' for n in found}
        marks = entry.get('marks', [])
        assert set(marks) >= {f'eq_{n}' for n in found} or not marks
    marked = {mark for entry in paper.equations for mark in entry.get('marks', ())}
    # Eq. (1) of temporal_lstm is the notation of a video.
    assert numbers - marked <= ({'eq_1'} if paper.key == 'temporal_lstm' else set())


@papers
def test_readme_is_that_of_the_data(paper):
    readme = (paper.folder / 'README.md').read_text(encoding='utf-8')
    assert with_part(readme, 'equations', paper.table()) == readme, RUN


def test_page_is_that_of_the_data():
    assert claims_page(PAPERS) == read('docs/claims.md'), RUN


def test_pytest_finds_tests_by_equation(request):
    names = value_tests(PAPERS)
    found = names['tests/models/layers/test_pyramid.py', 'test_by_hand']
    assert found == ['pyramid_eq_4']
    assert request.node.extra_keyword_matches is not None


def test_a_claim_without_an_answer_is_refused(tmp_path):
    text = 'key: k\nequations: []\nclaims:\n- {where: a, claim: b}\n'
    (tmp_path / 'claims.yml').write_text(text)
    with pytest.raises(ValueError, match=r"'b': expected one of rows, .* got \[\]"):
        load_claims(tmp_path)
