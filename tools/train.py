"""Train a model: MMAction2's train.py with the options of mmattn added.

python tools/train.py CONFIG [--bf16] [--split N] [any option of MMAction2's script]
"""

from mmattn.utils.host_tools import run_host_tool, train_in_bf16

if __name__ == '__main__':
    run_host_tool('train.py', train_in_bf16)
