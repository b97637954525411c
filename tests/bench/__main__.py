"""`make bench`: our service beside a naive version of the same job and a route that does nothing, on both stores.

Every server runs on this machine, the load generator too: compare only figures of one run; they are not absolute.
"""

import argparse
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.bench import measure, table
from tests.bench.fleet import Embedded, OnApiServer, PoolStore, fleet
from tests.bench.rounds import AT_RANDOM, BURSTS, LOOPS, Series, Service, kinds, measured
from tests.docs import markdown
from tests.kube.apiserver import ControlPlane

_CLUSTERS = 250
_NAIVE, _ONE, _THREE, _TRIVIAL = "naive", "CIMaster, 1 replica", "CIMaster, 3 replicas", "a route that does nothing"
_BRIEF = (
    "20 a second at random",
    "60 a second at random",
    "150 a second at random",
    "burst of 40",
    "burst of 100",
    "1 in a loop",
    "32 in a loop",
    "200 in a loop",
)


def main() -> None:
    """Run the benchmark."""
    options = _options()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cimaster-bench-")))
        every: list[Series] = []
        also: list[Sequence[str]] = []
        control_plane = None if options.store == "embedded" else stack.enter_context(ControlPlane())
        for store in ("kubernetes", "embedded"):
            if options.store in (None, store):
                every += _compared(control_plane if store == "kubernetes" else None, folder, options)
        if not options.brief:
            also = _also(control_plane, folder, options.seconds)
    text = table.whole(every, also) if also else table.markdown(table.HEADS, [table.cells(each) for each in every])
    print(f"\n{text}")
    if options.docs:
        on_api_server = [each for each in every if each.service.running.store.name == OnApiServer.name]
        markdown.put("docs/performance.md", "bench", text)
        markdown.put("docs/performance.md", "bench summary", table.brief(on_api_server, (_NAIVE, _ONE, _THREE), _BRIEF))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how often each load is measured (default: 5)")
    parser.add_argument("--seconds", type=float, default=2.0, help="length of each measurement (default: 2)")
    parser.add_argument("--store", choices=["embedded", "kubernetes"], help="only on this store")
    parser.add_argument(
        "--beside",
        type=Path,
        action="append",
        default=[],
        metavar="FOLDER",
        help="another checkout, whose service is measured too; may be repeated",
    )
    parser.add_argument("--replicas", type=int, nargs="*", default=[1, 3], help="how many replicas (default: 1 3)")
    parser.add_argument("--at-random", type=int, nargs="*", default=AT_RANDOM, metavar="TAKES", help="takes a second")
    parser.add_argument("--bursts", type=int, nargs="*", default=BURSTS, metavar="CALLERS", help="callers of a burst")
    parser.add_argument("--loops", type=int, nargs="*", default=LOOPS, metavar="CALLERS", help="callers in a loop")
    parser.add_argument("--brief", action="store_true", help="only our service, and what it is to be beside")
    parser.add_argument("--docs", action="store_true", help="write the tables into docs/performance.md")
    return parser.parse_args()


def _compared(control_plane: ControlPlane | None, folder: Path, options: argparse.Namespace) -> list[Series]:
    """Measure all services over one kind of store, each over a pool of its own."""
    with ExitStack() as stack:

        def start(name: str, replicas: int, application: str = "", code: Path | None = None) -> Service:
            store: PoolStore = OnApiServer(control_plane) if control_plane else Embedded(folder)
            running = stack.enter_context(fleet(store, folder, _CLUSTERS, replicas, application, code))
            return Service(name, running)

        names = {1: _ONE, 3: _THREE}
        services = [start(names.get(count, f"CIMaster, {count} replicas"), count) for count in options.replicas]
        for code in options.beside:
            services += [start(f"{code.name}, {count}", count, code=code) for count in options.replicas]
        if not options.brief:
            services += [start(_NAIVE, 1, "tests.bench.naive:app"), start(_TRIVIAL, 1, "tests.bench.trivial:app")]
        loads = kinds(options.at_random, options.bursts, options.loops)
        return measured(services, loads, options.rounds, options.seconds)


def _also(control_plane: ControlPlane | None, folder: Path, seconds: float) -> list[Sequence[str]]:
    stores: list[PoolStore] = [Embedded(folder)]
    if control_plane:
        stores.insert(0, OnApiServer(control_plane))
    figures: list[Sequence[str]] = []
    for store in stores:
        with fleet(store, folder, _CLUSTERS, 1) as running:
            figures.append((f"one write of {_CLUSTERS} clusters, {store.name}, p50", measure.write_time(running)))
    return [*figures, *measure.single_figures(stores[0], folder, seconds)]


if __name__ == "__main__":
    main()
