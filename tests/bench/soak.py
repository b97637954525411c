"""`make soak`: does memory stay flat, and the object small? A replica on the embedded store under heavy load."""

import asyncio
import tempfile
from pathlib import Path

from cimaster.repository.stores.sqlite import SQLiteStore
from tests.bench.fleet import Embedded, Fleet, fleet, resident_bytes
from tests.bench.load import Load

_REQUESTS = 200_000
_CALLERS = 100
_STEP = 20.0  # seconds between two samples


def main() -> None:
    """Print memory over many requests with few and with many clusters, and the object's size after a day's changes."""
    with tempfile.TemporaryDirectory(prefix="cimaster-soak-") as name:
        folder = Path(name)
        store = Embedded(folder)
        with fleet(store, folder, 60, 1) as running:
            _work(running, 20_000)
            _print_size(store, "after 20,000 changes on 60 clusters")
        for clusters in (250, 3000):
            with fleet(store, folder, clusters, 1) as running:
                print(f"{clusters} clusters: {_megabytes(running)} before", flush=True)
                _work(running, _REQUESTS if clusters == 250 else 20_000)


def _work(running: Fleet, requests: int) -> None:
    load, done = Load(running.ports), 0
    while done < requests:
        done += 2 * asyncio.run(load.pairs(_CALLERS, _STEP)).pairs
        print(f"  {done:,} requests: {_megabytes(running)}", flush=True)


def _megabytes(running: Fleet) -> str:
    return f"{resident_bytes(running.replicas[0].server) / 1e6:.0f} MB"


def _print_size(store: Embedded, when: str) -> None:
    opened = SQLiteStore(store.environment["CIMASTER_STORE"].partition(":")[2], "clusters")
    sizes = {key: len(text) for key, text in opened.read().data.items()}
    opened.close()
    print(f"object {when}: {sum(sizes.values()) / 1000:.0f} kB {sizes}", flush=True)


if __name__ == "__main__":
    main()
