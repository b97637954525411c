import asyncio, sys, tempfile, argparse
from pathlib import Path
from tests.bench.fleet import *
from tests.bench.load import Load, NOBODY_VACANT
from tests.kube.apiserver import ControlPlane


def cell(f, callers, seconds, label):
    load = Load(f.ports)
    before = f.cost()
    fig = asyncio.run(load.pairs(callers, seconds) if seconds else load.burst(callers))
    c = f.cost().since(before)
    other = sum(n for k, n in fig.refused.items() if k != NOBODY_VACANT)
    n = max(fig.pairs, 1)
    print(
        f"{label:28} c={callers:4} {fig.rate:6.0f}/s p50 {fig.percentile(0.5) * 1e3:6.1f} p99 {fig.percentile(0.99) * 1e3:7.1f} max {max(fig.takes, default=0) * 1e3:7.1f} novac {fig.refused[NOBODY_VACANT]} ref {other} dbl {fig.doubled} commits {c.commits:.0f} batch {c.carried / max(c.commits, 1):.1f} confl {c.conflicts:.0f} cpu svc {c.service_cpu / n * 1e3:.2f} store {c.store_cpu / n * 1e3:.2f} ms  tot {(c.service_cpu + c.store_cpu) / fig.seconds:.2f}",
        flush=True,
    )
    if other:
        print(fig.refused)


p = argparse.ArgumentParser()
p.add_argument("--store", default="kube")
p.add_argument("--replicas", default="1,3")
p.add_argument("--callers", default="1,32,200")
p.add_argument("--clusters", type=int, default=250)
p.add_argument("--seconds", type=float, default=5)
p.add_argument("--app", default="")
p.add_argument("--env", default="")
o = p.parse_args()
env = dict(e.split("=") for e in o.env.split(",") if e)
with ExitStack() as stack:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    store = OnApiServer(stack.enter_context(ControlPlane())) if o.store == "kube" else Embedded(folder)
    for r in map(int, o.replicas.split(",")):
        with fleet(store, folder, o.clusters, r, o.app, **env) as f:
            asyncio.run(Load(f.ports).pairs(16, 1.5))
            for c in map(int, o.callers.split(",")):
                cell(f, c, o.seconds, f"{o.store} r={r} {o.app} n={o.clusters}")
