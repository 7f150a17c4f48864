"""Two processes that train or test together."""

import os

import torch
from torch import multiprocessing as mp


def in_two_processes(measure, folder, *args):
    """What ``measure(rank, *args)`` returns in each of two processes."""
    mp.spawn(_work, args=(folder, measure, args), nprocs=2)
    return [torch.load(folder / f'{rank}.pth') for rank in range(2)]


def _work(rank, folder, measure, args):
    torch.set_num_threads(1)
    torch.distributed.init_process_group(  # NCCL wants a GPU for each process
        'gloo', init_method=f'file://{folder}/meet', rank=rank, world_size=2
    )
    torch.save(measure(rank, *args), folder / f'{rank}.pth')
    torch.distributed.barrier()
    # Taking gloo's group down with the model right after a collective can deadlock:
    # its thread waits for the interpreter lock that the destructor holds.
    os._exit(0)
