"""What this process holds in memory. Nothing is imported that a bare interpreter has not."""

import os


def resident() -> float:
    """Megabytes of this process in memory, now; not a number where there is no /proc."""
    try:
        with open("/proc/self/statm") as file:  # noqa: PTH123 - importing pathlib takes memory
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    except FileNotFoundError:  # not Linux: no figure is better than the peak, which is another
        return float("nan")
