"""AVA's formats, as published and as people write them."""

import pytest

from mmattn.datasets.ava import (
    match_names,
    read_annotations,
    read_detections,
    read_frames,
    read_label_map,
    read_truths,
)

LINE = ('clip.mp4', 3), (0.1, 0.25, 0.5, 0.9), 4, 0
EMPTY = ('clip.mp4', 5), None, 0, -1


@pytest.fixture
def cases(real_data):
    folder = real_data.parent / 'cases'
    if not folder.is_dir():
        pytest.skip(f'no cases at {folder}')
    return folder


@pytest.fixture
def written(tmp_path):
    def write(text, name='a.csv', encoding='utf-8'):
        (tmp_path / name).write_text(text, encoding=encoding, newline='')
        return tmp_path / name

    return write


@pytest.mark.parametrize(
    'text',
    [
        'clip.mp4,3,0.1,0.25,0.5,0.9,4,0\nclip.mp4,5\n',
        'clip.mp4,0003,.1,.25,.5,.9,4,0\r\n\r\nclip.mp4,0005\r\n\r\n',
        'clip.mp4, 3.0, 0.1, 0.25, 0.5, 0.9, 4.0, 0.0\nclip.mp4, 5.0, , , , , ,\n',
        '"clip.mp4","3","0.1","0.25","0.5","0.9","4","0"\n"clip.mp4","5"\n',
        'clip.mp4;3;0,1;0,25;0,5;0,9;4;0\nclip.mp4;5;;;;;;\n',
        'clip.mp4\t3\t0,1\t0,25\t0,5\t0,9\t4\t0\nclip.mp4\t5\n',
        'video_id,frame_timestamp,x1,y1,x2,y2,action_id,person_id\n'
        'clip.mp4,3,0.1,0.25,0.5,0.9,4,0\nclip.mp4,5\n',
        'sep=;\nVideo;Second;X_min;Y_min;X_max;Y_max;Label;Entity ID\n'
        'clip.mp4;3;0,1;0,25;0,5;0,9;4;0\nclip.mp4;5\n',
    ],
    ids=['plain', 'blank', 'floats', 'quotes', 'german', 'tabs', 'header', 'excel'],
)
@pytest.mark.parametrize('encoding', ['utf-8', 'utf-8-sig'])
def test_tables_of_programs_and_spreadsheets(written, text, encoding):
    found = read_annotations(written(text, encoding=encoding))
    assert [line[1:] for line in found] == [LINE, EMPTY]
    frames, truths = read_truths(written(text, encoding=encoding))
    assert frames == {LINE[0], EMPTY[0]}
    assert [truth[:3] for truth in truths] == [LINE[:3]]


def test_names_with_commas_and_unicode(written):
    path = written('"a, b.mp4",3\nд é.mp4,4\n')
    assert read_frames(path) == {('a, b.mp4', 3), ('д é.mp4', 4)}


@pytest.mark.parametrize(
    'text, message',
    [
        ('', r'a\.csv: expected lines video,second,x1,.*got none'),
        ('\n,,\n', r'a\.csv: expected lines video,second,x1,.*got none'),
        (
            'c,3,0.1\n',
            r"a\.csv:1: expected 'video,.*' or 'video,second', got 'c,3,0\.1'",
        ),
        ('c,3\n,3\n', r"a\.csv:2: expected 'video,"),
        ('c,3\n\nc,3.5\n', r"a\.csv:3: expected a whole number as second, got '3\.5'"),
        (
            'c,3,0.5,0,0.4,1,1,0\n',
            r'a\.csv:1: expected 0 <= x1 <= x2 <= 1.*0\.5 and 0\.4',
        ),
        (
            'c,3,10,20,90,80,1,0\n',
            r'0 <= x1 <= x2 <= 1, parts of the frame, got 10 and',
        ),
        (
            'c,3,0,0.2,1,80,1,0\n',
            r'0 <= y1 <= y2 <= 1, parts of the frame, got 0\.2 and',
        ),
        ('c,3,0,0,1,1,0,0\n', r'a\.csv:1: expected a class from 1 on, got 0'),
        ('c,3,0,0,1,1,walk,0\n', r"a\.csv:1: .* number as class, got 'walk'"),
        ('c,3,0,0,1,nan,1,0\n', r'a\.csv:1: expected a box of 4 numbers, got .*nan'),
        (
            'video,second,x,y,w,h,class\n',
            r"a\.csv:1: .*in the order .*, got 'x' as col.*3",
        ),
        (
            'second,video\nc,3\n',
            r"a\.csv:1: .*in the order .*, got 'second' as column 1",
        ),
        ('"c,3,0,0,1,1,1,0\nd,4\n', r"a\.csv:1: expected 'video,.*second', got"),
    ],
)
def test_bad_lines(written, text, message):
    with pytest.raises(ValueError, match=message):
        read_annotations(written(text))


def test_detections_with_a_header(written):
    path = written('video,time,x1,y1,x2,y2,label,score\nv,2,0,0,.5,1,12,.5\n')
    (found,) = read_detections(path)
    assert found == (('v', 2), (0, 0, 0.5, 1), 12, 0.5)


def test_shared_annotations(cases):
    two = read_annotations(cases / 'ava' / 'two.csv')
    assert [(line.frame, line.label) for line in two] == [
        (('clip.mp4', 2), 0),
        (('clip.mp4', 3), 1),
    ]
    (blank,) = read_annotations(cases / 'ava' / 'blank.csv')
    assert blank.frame == ('clip.mp4', 3)
    for name in ('gt.csv', 'gt_bom.csv'):
        assert read_truths(cases / 'labels' / name)[0] == {('v', 902), ('v', 903)}


def test_published_label_maps(real_data):
    folder = real_data / 'annotations' / 'ava'
    names = read_label_map(folder / 'ava_action_list_v2.1_for_activitynet_2018.pbtxt')
    assert len(names) == 60
    assert names[1] == 'bend/bow (at the waist)'
    assert names[80] == 'watch (a person)'
    assert read_label_map(folder / 'label_map_mmaction2.txt').keys() == names.keys()
    tiny = read_label_map(folder / 'tiny_dataset' / 'action_list.txt')
    assert tiny == {12: 'action1', 17: 'action2', 79: 'action3', 80: 'action3'}


def test_shared_label_maps(cases):
    names = read_label_map(cases / 'labels' / 'id_first.pbtxt')
    assert names == {1: 'walk', 2: 'run', 3: 'jump'}


@pytest.mark.parametrize(
    'text',
    [
        'item {\n  name: "walk"\n  id: 1\n}\n'
        'item {\n  name: "run (a \'b\')"\n  id: 7\n}\n',
        "item {\r\n  id: 1\r\n  name: 'walk'\r\n}\r\n"
        'item{id:7 name:"run (a \'b\')"}\r\n',
        '# classes\nitem { id: 1, name: "walk" }  # the first\n'
        'item: { name: "run (a \\\'b\\\')"; id: 7; }',
        'label {\n name: "walk"\n label_id: 1\n label_type: PERSON_MOVEMENT\n}\n'
        'label { name: "run (a \'b\')" label_id: 7 more { id: 3 name: "x" } }',
        "1: walk\n\n# a gap\n7: run (a 'b')\n",
    ],
    ids=['plain', 'id first', 'comments', 'label', 'numbered'],
)
@pytest.mark.parametrize('encoding', ['utf-8', 'utf-8-sig'])
def test_layouts_of_label_maps(written, text, encoding):
    path = written(text, 'map.pbtxt', encoding)
    assert read_label_map(path) == {1: 'walk', 7: "run (a 'b')"}


GOOD = 'item {\n  name: "a"\n  id: 1\n}\n'


@pytest.mark.parametrize(
    'text, message',
    [
        ('', r'map\.pbtxt: expected items with a name and an id, got none'),
        ('walk\nrun\n', r"map\.pbtxt:1: expected 'item {', got 'walk'"),
        (
            GOOD + 'item {\n  name: "b"\n}',
            r'map\.pbtxt:5: .* one name and one id, got name',
        ),
        (GOOD + 'item {\n  id: 2\n}', r'map\.pbtxt:5: .* one name and one id, got id'),
        (GOOD + 'item {\n  id: 2 id: 3\n}', r'map\.pbtxt:6: expected id once'),
        (
            GOOD + 'item {\n id: 2\n label_id: 3\n name: "b" }',
            r':5: .*one name and one id',
        ),
        (
            GOOD + 'item {\n  name: "b"\n  id: 2\n',
            r"map\.pbtxt:5: expected '}' at the end",
        ),
        (GOOD[:-2] + GOOD, r"map\.pbtxt:1: expected '}' at the end of the item"),
        (
            GOOD + 'item\n  name: "b"\n  id: 2\n}',
            r"map\.pbtxt:5: expected '{' after it",
        ),
        (GOOD + 'item {\n  name: "b\n  id: 2\n}', r'map\.pbtxt:6: expected items of a'),
        (GOOD + 'item {\n  name: b\n  id: 2\n}', r'map\.pbtxt:5: .*in quotes, got b'),
        (
            GOOD + 'item {\n  name "b"\n  id: 2\n}',
            r"map\.pbtxt:6: expected 'key: value'",
        ),
        (
            GOOD + 'item {\n  name: "b"\n  id: two\n}',
            r'map\.pbtxt:5: .*number as id, got tw',
        ),
        (GOOD + GOOD, r'map\.pbtxt:5: expected each id once, got 1 again'),
        (GOOD.replace('1', '0'), r'map\.pbtxt:1: expected ids from 1 on, got 0'),
        ('1: walk\n2 run\n', r"map\.pbtxt:2: expected '<id>: <name>', got '2 run'"),
    ],
)
def test_damaged_label_maps(written, text, message):
    with pytest.raises(ValueError, match=message):
        read_label_map(written(text, 'map.pbtxt'))


@pytest.mark.parametrize(
    'wanted, found, matches',
    [
        (['a.mp4'], ['a.mp4', 'a'], {'a.mp4': 'a.mp4'}),
        (['a.mp4'], ['a'], {'a.mp4': 'a'}),
        (['a'], ['a.MKV '], {'a': 'a.MKV '}),
        (['a.b'], ['a'], {}),
        (['a'], ['x/a.avi'], {'a': 'x/a.avi'}),
        (['a.mp4'], [r'x\a.mp4'], {'a.mp4': r'x\a.mp4'}),
        (['a'], ['x/a', 'y/a'], {}),
        (['x/a', 'y/a'], ['a'], {}),
        (['x/a', 'y/a'], ['x/a.avi', 'y/a.avi'], {'x/a': 'x/a.avi', 'y/a': 'y/a.avi'}),
        (['a', 'a.mp4'], ['a'], {'a': 'a'}),
        (['a'], ['a.mp4', 'a.avi'], {}),
    ],
)
def test_names_in_other_spelling(wanted, found, matches):
    assert match_names(wanted, found) == matches
