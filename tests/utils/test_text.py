"""Text as editors and spreadsheets save it."""

import re
from pathlib import Path

import pytest

import mmattn
from mmattn.utils.text import (
    read_json,
    read_lines,
    read_records,
    read_table,
    read_text,
    read_yaml,
    shortened,
)


@pytest.fixture
def written(tmp_path):
    def write(content, name='list.txt'):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.mark.parametrize('end', ['\n', '\r\n', '\r'])
@pytest.mark.parametrize('mark', [b'', b'\xef\xbb\xbf'])
def test_marks_and_ends_of_lines(written, mark, end):
    path = written(mark + f'é 0{end}{end}b 1{end}{end}'.encode())
    assert read_text(path) == 'é 0\n\nb 1\n\n'
    assert read_lines(path) == ['é 0', '', 'b 1']


def test_other_separators_of_unicode_end_no_line(written):
    assert read_lines(written('a\x0bb\x85c\u2028d\ne')) == ['a\x0bb\x85c\u2028d', 'e']


@pytest.mark.parametrize(
    'content, message',
    [
        ('a\r\nbé'.encode('cp1252'), r'txt:2: expected UTF-8 text, got the byte 0xe9'),
        ('a\rb\ré'.encode('cp1252'), r'txt:3: .*iconv -f WINDOWS-1252 -t UTF-8'),
        ('a 0'.encode('utf-16'), r'txt:1: .*mark of UTF-16.*iconv -f UTF-16 -t UTF-8'),
        ('a 0'.encode('utf-32'), r'txt:1: .*mark of UTF-32'),
        (b'a 0\nb\x00\x00', r'txt:2: expected text, got a zero byte'),
    ],
)
def test_other_encodings_are_refused(written, content, message):
    with pytest.raises(ValueError, match=message):
        read_text(written(content))


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'a text file, got no .*none\.txt'):
        read_text(tmp_path / 'none.txt')


@pytest.mark.parametrize(
    'text, decimal',
    [
        ('a b.mp4,3,0.1\n"c,d.mp4",4,0.2\n', '.'),
        ('a b.mp4 , 3 , 0.1\n\n , ,\n "c,d.mp4" ,4,0.2,,,\n', '.'),
        ('a b.mp4;3;0,1\r\n"c,d.mp4";4;0,2;;\r\n', ','),
        ('sep=;\na b.mp4;3;0,1\nc,d.mp4;4;0,2\n', ','),
        ('a b.mp4\t3\t0.1\n\t\t\nc,d.mp4\t4\t0.2\n', ','),
    ],
)
def test_tables(written, text, decimal):
    rows = list(read_table(written(text), (2, 3)))
    assert [row[:2] for row in rows] == [['a b.mp4', '3'], ['c,d.mp4', '4']]
    assert [float(row[2].replace(',', '.')) for row in rows] == [0.1, 0.2]
    assert {row.decimal for row in rows} == {decimal}
    numbers = [n for n, line in enumerate(text.splitlines(), 1) if 'mp4' in line]
    assert [row.number for row in rows] == numbers


def test_most_fields_tell_the_delimiter(written):
    (row,) = read_table(written('a;1;0,5;0,75'), (2, 4))
    assert row == ['a', '1', '0,5', '0,75']
    (row,) = read_table(written('a;b.mp4,7'), (2,))
    assert row == ['a;b.mp4', '7']


@pytest.mark.parametrize(
    'text',
    [
        'id,name\n1,"a\nb"\n\n2,\n',
        '\ufeffid;name\r\n1;"a\r\nb"\r\n;\r\n2\r\n',
        'name\tid\n"a\nb"\t1\n\t\n\t2\n',
        'Name , ID\n"a\nb",1\n\n,2,,\n',
    ],
)
def test_records(written, text):
    found = list(read_records(written(text), ('id', 'name')))
    assert [record for _, record in found] == [
        {'id': '1', 'name': 'a\nb'},
        {'id': '2', 'name': ''},
    ]
    assert [number for number, _ in found] == [3, 5]
    with pytest.raises(
        ValueError, match=r'txt:1: .* id, length, got (id|name), (id|n)'
    ):
        next(read_records(written(text), ('id', 'length')))


def test_records_of_spreadsheets_and_their_faults(written):
    text = 'sep=;\n\nId;Name;\n1;a;;\n'
    assert list(read_records(written(text), ('id',))) == [
        (4, {'id': '1', 'name': 'a', '': ''})
    ]
    with pytest.raises(ValueError, match=r"txt:3: expected 2 .* got 3; .* ',' in it"):
        list(read_records(written('id,name\n1,a\n2,b, c\n'), ('id',)))
    with pytest.raises(ValueError, match=r'txt:1: .* each once, got id, name, id'):
        list(read_records(written('ID,name,id\n1,a,2\n'), ('id',)))
    with pytest.raises(
        ValueError, match=r'txt:1: expected the columns id, got nothing'
    ):
        list(read_records(written(''), ('id',)))


def test_json_and_yaml(written):
    assert read_json(written('\ufeff{"a": 1}', 'a.json')) == {'a': 1}
    assert read_yaml(written('\ufeffa: 1\n', 'a.yml')) == {'a': 1}
    with pytest.raises(ValueError, match=r'a\.json:2: expected whole JSON, got: Expec'):
        read_json(written('{"a":\n1', 'a.json'))
    with pytest.raises(ValueError, match=r'a\.yml:2: expected YAML, got'):
        read_yaml(written('a: 1\nb: ]\n', 'a.yml'))


def test_shortened():
    assert shortened('abc', 3) == 'abc'
    assert shortened('abcdef', 5) == 'ab...'


def test_tables_and_lists_are_read_in_one_place():
    package = Path(mmattn.__file__).parent
    readers = re.compile(r'csv\.(reader|DictReader)|list_from_file|loadtxt')
    found = {
        path.relative_to(package).as_posix()
        for path in package.rglob('*.py')
        if readers.search(path.read_text(encoding='utf-8'))
    }
    assert found == {'utils/text.py'}
