"""The command line of the server: serve, export, import, drain."""

import argparse
import json
import sys
import time
from pathlib import Path

from prometheus_client import CollectorRegistry

from cimaster import provisioners
from cimaster.common.serving.launcher import become_gunicorn
from cimaster.common.settings import BadSetting, add_flags, put_in_environment
from cimaster.errors import Refusal, StoreTrouble
from cimaster.observability.metrics import Metrics
from cimaster.repository.configmap_repository import ConfigMapRepository
from cimaster.repository.stores import open_store
from cimaster.services import pool_file
from cimaster.services.import_export import exported, importing, rules_of
from cimaster.settings import PREFIX, Settings
from cimaster.workers.drain_file import DrainFile


def main(arguments: list[str] | None = None) -> int:
    """Run a command; return its exit status: 0 done, 1 refused, 2 wrong arguments or settings."""
    options = parser().parse_args(arguments)
    put_in_environment(options, PREFIX)
    try:
        settings = Settings.from_environ()
        provisioners.chosen(settings)
        status: int = options.run(options, settings)
    except BadSetting as error:
        print(f"cimaster: {error}", file=sys.stderr)
        return 2
    except (Refusal, StoreTrouble, OSError) as error:
        print(f"cimaster: {error}", file=sys.stderr)
        return 1
    return status


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line; each setting's flag sets the environment variable of that name."""
    flags = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    add_flags(flags, PREFIX, provisioners.all_settings())
    parser = argparse.ArgumentParser(prog="cimaster", description="Lends a pool of shared CI test clusters.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: object, text: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, parents=[flags], help=text, description=text, allow_abbrev=False)
        made.set_defaults(run=run)
        return made

    command("serve", _serve, "run the service")
    command("drain", _drain, "make a running service report not-ready, and wait 5 s for load balancers to notice")
    export = command("export", _export, "write the whole pool to standard output, as a ConfigMap in JSON")
    export.add_argument("--key", help="write only this key's text, byte for byte, such as cluster.json")
    load = command(
        "import",
        _import,
        "fill the pool from a file: an export, the first service's cluster.json or ConfigMap; JSON or YAML",
    )
    load.add_argument("file", help="the file, or - for standard input")
    load.add_argument("--replace", action="store_true", help="even if the pool already has clusters")
    return parser


def _serve(_options: argparse.Namespace, _settings: Settings) -> int:
    return become_gunicorn("cimaster.gunicorn_conf")


def _drain(_options: argparse.Namespace, settings: Settings) -> int:
    DrainFile(settings.port).make()
    time.sleep(5)
    return 0


def _repository(settings: Settings) -> ConfigMapRepository:
    store, metrics = open_store(settings), Metrics(CollectorRegistry())
    return ConfigMapRepository(store, rules_of(settings), metrics, deadline=settings.deadline)


def _export(options: argparse.Namespace, settings: Settings) -> int:
    kind, _, path = settings.store.partition(":")
    if kind == "sqlite" and not Path(path).exists():  # opening it would create an empty pool
        print(f"cimaster: {path} does not exist: name the store of the service with --store", file=sys.stderr)
        return 1
    stored = _repository(settings).fresh().object
    if not options.key:
        print(json.dumps(exported(stored), indent=1))
    elif options.key in stored.data:
        sys.stdout.buffer.write(stored.data[options.key].encode())
    else:
        print(f"cimaster: the pool has no key {options.key}; it has {', '.join(stored.data)}", file=sys.stderr)
        return 1
    return 0


def _import(options: argparse.Namespace, settings: Settings) -> int:
    change = importing(pool_file.read(options.file), settings, replace=options.replace)
    repository = _repository(settings)
    repository.start()
    try:
        print(repository.update(change).answer.text)
    finally:
        repository.stop()
    return 0
