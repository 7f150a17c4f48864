"""Test a model: MMAction2's test.py with the options of mmattn added.

python tools/test.py CONFIG CHECKPOINT [--bf16] [--split N] [--dump FILE.pkl] [...]
"""

from mmattn.utils.host_tools import run_host_tool, test_in_bf16

if __name__ == '__main__':
    run_host_tool('test.py', test_in_bf16)
