"""Measure the import of an NPPES file: rows a second, and that memory does not grow with the file.

    python -m bench.nppes [--rows 100000]

A made-up file of so many rows is taken over twice into a fresh SQLite file (the second time nothing changes),
and the peak of memory is compared with that of a tenth of the rows.
"""

import argparse
import gc
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench import nppes_file
from bench.engine import database_at
from idp.audit import origin
from idp.providers.nppes.run import import_file


def once(folder: Path, rows: int) -> None:
    """Import twice; print rows a second of both, and the peak of memory in MB."""
    path = folder / "npidata.csv"
    nppes_file.write(path, rows)
    database = database_at(folder / "bench.sqlite")
    gc.collect()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    told = []
    for _ in range(2):
        began = time.perf_counter()
        with origin.acting_as("operator"):
            done = import_file(database, path, folder / "errors.csv")
        assert done.finished
        assert done.counts["rows"] == rows
        told.append(rows / (time.perf_counter() - began))
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    database.dispose()
    print(f"{rows} {path.stat().st_size} {told[0]:.0f} {told[1]:.0f} {grown:.1f}")


def main() -> None:
    """Run each size in a process of its own, so that each has a peak of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--once", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.once:
        once(chosen.once, chosen.rows)
        return
    print("NPPES import        rows      MB   rows/s new   rows/s again   memory grew by")
    for rows in (chosen.rows // 10, chosen.rows):
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "bench.nppes", "--rows", str(rows), "--once", folder]
            output = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603
        count, size, new, again, grown = output.split()
        print(f"{count:>24}  {int(size) / 1e6:6.1f}   {new:>10}   {again:>12}   {grown:>9} MB")


if __name__ == "__main__":
    main()
