"""Start the processes that train one model on this machine, as `torchrun` would, and end as they end."""

from __future__ import annotations

import logging
import os
import sys
import uuid
from collections.abc import Sequence
from typing import NoReturn

GRACE = 3600  # seconds that a stopped run may take to finish its step and to write its checkpoint


def launch(processes: int, arguments: Sequence[str]) -> NoReturn:
    """Run `mintage <arguments>` in so many processes, and leave with the exit code of the one that failed
    first, with 128 + the signal that stopped the run, or with 0.

    The processes are in sessions of their own: Ctrl-C reaches them through this one, once.
    """
    os.environ.setdefault("TORCH_ELASTIC_SHUTDOWN_TIMEOUT", str(GRACE))
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // processes)))

    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    # The processes say themselves what is wrong; the agent would add its tables and traces.
    for name in ("torch.distributed.elastic", "torch.distributed.launcher"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        run_id=uuid.uuid4().hex,
        rdzv_backend="c10d",
        rdzv_endpoint="127.0.0.1:0",
        local_addr="127.0.0.1",
        max_restarts=0,
    )
    try:
        elastic_launch(config, sys.executable)("-m", "mintage", *arguments)
    except ChildFailedError as error:
        _, failure = error.get_first_failure()
        raise SystemExit(failure.exitcode if failure.exitcode > 0 else 1) from None
    except SignalException as error:
        raise SystemExit(128 + error.sigval) from None
    raise SystemExit(0)
