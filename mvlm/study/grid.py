"""The grid of the full profile on several machines: `python -m mvlm.study.grid TABLE [TABLE ...]` on every rank.

`PROFILE=full make tables` starts the ranks of one machine by itself. On several, one command on each (or one `srun` for
all) starts a process for each device:

    torchrun --nnodes 2 --nproc-per-node 4 --rdzv-backend c10d --rdzv-endpoint HOST:PORT -m mvlm.study.grid table1
    srun --nodes 2 --ntasks-per-node 4 --gpus-per-node 4 python -m mvlm.study.grid table1

`PROFILE=full make tables` then finds the records and makes tables of them. The machines share the folder `runs/`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace

from mvlm.machine import command
from mvlm.settings import Settings
from mvlm.study.benchmarks import TABLES
from mvlm.study.full_profile import device
from mvlm.study.runs import run


def main(names: Sequence[str]) -> int:
    """Compute the records of tables on the ranks that `torchrun` or `srun` started, else on those of this machine."""
    from mvlm.ranks.group import given_rank, group

    unknown = [name for name in names if name not in TABLES]
    if unknown or not names:
        said = f"no table {unknown[0]}; " if unknown else ""
        print(f"{said}usage: python -m mvlm.study.grid TABLE [TABLE ...], of {', '.join(TABLES)}", file=sys.stderr)
        return 2
    chosen = replace(Settings.from_environment(), profile="full")
    rank = given_rank()
    with group(rank, device() if rank else "cpu"):
        for name in names:
            run(TABLES[name].benchmarks, settings=chosen)
    return 0


if __name__ == "__main__":
    command(main, sys.argv[1:])
