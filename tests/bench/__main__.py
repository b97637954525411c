"""`make bench`: our service beside a naive version of the same job, on both stores, in one run and one table.

Every server runs on this machine, the load generator too: read the figures beside each other, not as absolute ones.
"""

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from tests.bench import measure, table
from tests.bench.fleet import Embedded, OnApiServer, PoolStore, fleet
from tests.kube.apiserver import ControlPlane

_NAIVE_CALLERS = (1, 32, 200)


def main() -> None:
    """Run the whole benchmark."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="length of each measurement (default: 5)")
    parser.add_argument("--readme", action="store_true", help="write the table into the README")
    parser.add_argument("--store", choices=["embedded", "kubernetes"], help="only on this store")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cimaster-bench-")))
        stores: list[PoolStore] = []
        if options.store != "embedded":
            stores.append(OnApiServer(stack.enter_context(ControlPlane())))
        if options.store != "kubernetes":
            stores.append(Embedded(folder))
        text = _figures(stores, folder, options.seconds)
    print(f"\n{text}")
    if options.readme:
        table.into_readme(text)


def _figures(stores: list[PoolStore], folder: Path, seconds: float) -> str:
    rows, single = [], []
    for store in stores:
        for row in _rows(store, folder, seconds):
            print(f"| {' | '.join(row.cells())} |", flush=True)
            rows.append(row)
        with fleet(store, folder, 250, 1) as running:
            measure.warm(running)
            median = measure.write_time(store, store.environment)
        single.append([f"one write of 250 clusters, {store.name}, p50", f"{median * 1000:.1f} ms"])
    single += [list(pair) for pair in measure.single_figures(stores[0], folder, seconds)]
    parts = [table.markdown(table.HEADS, [row.cells() for row in rows]), table.markdown(("also", "figure"), single)]
    return "\n".join(parts)


def _rows(store: PoolStore, folder: Path, seconds: float) -> Iterator[table.Row]:
    for replicas in (1, 3):
        with fleet(store, folder, 250, replicas) as running:
            measure.warm(running)
            label = measure.label(replicas)
            yield from measure.rows(running, label, 250, seconds, measure.CALLERS, measure.BURSTS)
    with fleet(store, folder, 250, 1, "tests.bench.naive:app") as running:
        measure.warm(running)
        yield from measure.rows(running, measure.NAIVE, 250, seconds, _NAIVE_CALLERS, measure.BURSTS)
    for clusters in (*measure.POOLS, 3000) if isinstance(store, Embedded) else measure.POOLS:
        with fleet(store, folder, clusters, 1) as running:
            measure.warm(running)
            waiting = measure.WAITING if clusters == min(measure.POOLS) else ()
            yield from measure.rows(running, measure.label(1), clusters, seconds, (100,), waiting=waiting)
    with fleet(store, folder, min(measure.POOLS), 3) as running:
        measure.warm(running)
        label = measure.label(3)
        yield from measure.rows(running, label, min(measure.POOLS), seconds, (100,), waiting=measure.WAITING)


if __name__ == "__main__":
    main()
