"""Train a config file; kill the process when it reaches an iteration.

python train_and_die.py CONFIG WORK_DIR DIE_AT [--resume]   (DIE_AT 0: never)
"""

import os
import signal
import sys

from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner


@HOOKS.register_module()
class DieHook(Hook):
    def __init__(self, die_at):
        self.die_at = die_at

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == self.die_at:
            os.kill(os.getpid(), signal.SIGKILL)


def main():
    path, work_dir, die_at = sys.argv[1:4]
    cfg = Config.fromfile(path)
    cfg.work_dir = work_dir
    cfg.resume = '--resume' in sys.argv
    cfg.launcher = 'pytorch' if 'RANK' in os.environ else 'none'
    if int(die_at):
        cfg.custom_hooks.append(dict(type='mmengine.DieHook', die_at=int(die_at)))
    Runner.from_cfg(cfg).train()


if __name__ == '__main__':
    main()
