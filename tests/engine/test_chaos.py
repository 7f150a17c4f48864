"""Whatever kills a run, it goes on to the same end, or says why it does not."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / 'helpers' / 'chaos.py'
KILLS = 30


@pytest.mark.slow
@pytest.mark.timeout(1800)  # forty runs and as many again
def test_no_work_is_lost(tmp_path, capsys):
    command = [sys.executable, '-W', 'ignore', SCRIPT, tmp_path, '0', str(KILLS)]
    result = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-3000:]
    told = [json.loads(line) for line in result.stdout.splitlines()]
    lost = [x for x in told if x['outcome'].startswith('LOSS')]
    counts = Counter((f'{x["processes"]} x {x["moment"]}', x['outcome']) for x in told)
    with capsys.disabled():
        print()
        for (moment, outcome), count in sorted(counts.items()):
            print(f'{count:3} {moment:22} {outcome[:60]}')
    assert not lost, lost[0]
    hit = [x for x in told if x['outcome'] != 'not hit']
    assert len(hit) >= KILLS
    identical = [x for x in hit if x['outcome'] == 'resumed bit-identical']
    assert len(identical) > len(hit) / 2  # which moment is hit depends on the machine
    # Amid accumulated gradients of two processes, and where the only file is a half.
    assert all(x['outcome'] == 'refused with reason' for x in hit if x not in identical)
