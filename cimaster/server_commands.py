"""The command line of the server: serve, export, import, drain, rebuild-usage, forget."""

import argparse
import getpass
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from prometheus_client import CollectorRegistry

from cimaster import provisioners
from cimaster.common.serving.launcher import become_gunicorn
from cimaster.common.settings import BadSetting, add_flags, put_in_environment
from cimaster.common.texts import brief
from cimaster.errors import Refusal, StoreTrouble
from cimaster.observability.metrics import Metrics
from cimaster.pool import parsers
from cimaster.pool.decisions import inventory_plan
from cimaster.pool.decisions.forgetting import FORGOTTEN, Person, check_unused
from cimaster.pool.decisions.inventory_plan import Inventory, Plan, SyncTerms
from cimaster.repository.configmap_repository import ConfigMapRepository
from cimaster.repository.history_ring import HistoryRing
from cimaster.repository.stores import open_store
from cimaster.repository.stores.port import StoredObject
from cimaster.services import archive_import, archive_rewrite, inventory_file, inventory_sync, pool_file
from cimaster.services.import_export import check_empty, exported, exported_list, importing, rules_of
from cimaster.settings import PREFIX, Settings
from cimaster.workers.drain_file import DrainFile


def main(arguments: list[str] | None = None) -> int:
    """Run a command; return its exit status: 0 done, 1 refused, 2 wrong arguments or settings.

    After a dry run 2 means that the pool differs from the file, so wrong settings are 1 there.
    """
    options = parser().parse_args(arguments)
    put_in_environment(options, PREFIX)
    try:
        settings = Settings.from_environ()
        provisioners.chosen(settings)
        status: int = options.run(options, settings)
    except BadSetting as error:
        print(f"cimaster: {error}", file=sys.stderr)
        return 1 if getattr(options, "dry_run", False) else 2
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
    part = export.add_mutually_exclusive_group()
    part.add_argument("--key", help="write only this key's text, byte for byte, such as cluster.json")
    part.add_argument("--history", action="store_true", help="write the archive of history too, as a List in JSON")
    command("rebuild-usage", _rebuild_usage, "count the sums of usage again, from the changes in the archive")
    forget = command("forget", _forget, "replace the name of a person in the pool, its history and the sums of usage")
    forget.add_argument("name", type=_argument(parsers.person), help="the person; case does not matter")
    forget.add_argument("--dry-run", action="store_true", help="only say where the name is")
    load = command(
        "import",
        _import,
        "fill the pool from a file: an export, the first service's cluster.json or ConfigMap; JSON or YAML",
    )
    _add_import_flags(load)
    return parser


def _add_import_flags(load: argparse.ArgumentParser) -> None:
    load.set_defaults(refuse=load.error)
    load.add_argument("file", help="the file, or - for standard input")
    mode = load.add_mutually_exclusive_group()
    mode.add_argument("--replace", action="store_true", help="even if the pool already has clusters")
    mode.add_argument(
        "--sync",
        action="store_true",
        help="add, change and remove clusters until they agree with the file; leases and holds are not affected",
    )
    sync = load.add_argument_group("with --sync")
    sync.add_argument(
        "--dry-run", action="store_true", help="only print the plan; exit status 2 if it would change anything"
    )
    sync.add_argument(
        "--by", type=_argument(parsers.person), help="the admin's name for the history (default: the current user)"
    )
    sync.add_argument(
        "--force", action="store_true", help="remove clusters in use and the last one of a purpose too; needs --reason"
    )
    sync.add_argument(
        "--reason", type=_argument(parsers.plain), default="", help="why; it is kept in the history of removals"
    )


def _serve(_options: argparse.Namespace, _settings: Settings) -> int:
    return become_gunicorn("cimaster.gunicorn_conf")


def _drain(_options: argparse.Namespace, settings: Settings) -> int:
    DrainFile(settings.port).make()
    time.sleep(5)
    return 0


def _repository(settings: Settings) -> ConfigMapRepository:
    store, metrics = open_store(settings), Metrics(CollectorRegistry())
    names = settings.history_names
    return ConfigMapRepository(store, rules_of(settings), metrics, deadline=settings.deadline, history_names=names)


def _existing(settings: Settings) -> ConfigMapRepository:
    """Return the pool for reading; opening an SQLite file that does not exist would create an empty one."""
    kind, _, path = settings.store.partition(":")
    if kind == "sqlite" and not Path(path).exists():
        raise FileNotFoundError(f"{path} does not exist: name the store of the service with --store")
    return _repository(settings)


@contextmanager
def _started(repository: ConfigMapRepository) -> Iterator[ConfigMapRepository]:
    """Start a repository for changes, and stop it at the end."""
    repository.start()
    try:
        yield repository
    finally:
        repository.stop()


def _rebuild_usage(_options: argparse.Namespace, settings: Settings) -> int:
    with _started(_existing(settings)) as repository:
        counted = archive_rewrite.rebuild_usage(repository)
    print(f"usage is counted again from {counted} changes")
    return 0


def _forget(options: argparse.Namespace, settings: Settings) -> int:
    person = Person(options.name)
    with _started(_existing(settings)) as repository:
        found = archive_rewrite.mentions_of(repository, person)
        if options.dry_run:
            check_unused(repository.fresh().pool, person)
            print(f"{person.name} is named {found}")
            return 0
        remaining = archive_rewrite.forget_person(repository, person, found)
    print(f"{person.name} was named {found}: {FORGOTTEN} stands there now")
    for line in remaining:
        print(f"cimaster: {line}", file=sys.stderr)
    return 1 if remaining else 0


def _export(options: argparse.Namespace, settings: Settings) -> int:
    repository = _existing(settings)
    stored = repository.fresh().object
    if options.history:
        return _export_with_history(stored, repository.history_ring)
    if not options.key:
        print(json.dumps(exported(stored), indent=1))
    elif options.key in stored.data:
        sys.stdout.buffer.write(stored.data[options.key].encode())
    else:
        print(f"cimaster: the pool has no key {options.key}; it has {', '.join(stored.data)}", file=sys.stderr)
        return 1
    return 0


def _export_with_history(pool: StoredObject, ring: HistoryRing) -> int:
    """Write the pool and the archive, which is read after the pool: a change that moves in between is in both."""
    print(json.dumps(exported_list(pool, ring.slots()), indent=1))
    for trouble in ring.trouble.values():
        print(f"cimaster: a part of the history is not exported: {trouble}", file=sys.stderr)
    return 1 if ring.trouble else 0


def _import(options: argparse.Namespace, settings: Settings) -> int:
    if options.sync:
        return _sync(options, settings)
    if options.dry_run or options.by or options.force or options.reason:
        options.refuse("--dry-run, --by, --force and --reason need --sync")
    contents = pool_file.contents_of(pool_file.read(options.file))
    archive = archive_import.slots_of(contents.archive)
    change = importing(contents.data, settings, replace=options.replace, archive=archive, by=_current_user())
    with _started(_repository(settings)) as repository:
        if archive:
            check_empty(repository.fresh().pool, replace=options.replace)
            print(archive_import.fill(repository, archive, replace=options.replace))
        print(repository.update(change).answer.text)
    return 0


def _sync(options: argparse.Namespace, settings: Settings) -> int:
    if options.force and not options.reason:
        options.refuse("--force needs --reason: say to the people who have the clusters why they are removed")
    wanted = inventory_file.read(pool_file.read(options.file))
    if options.dry_run:
        plan = _printed_plan(_existing(settings), wanted, force=options.force)
        return 2 if plan.steps else 0
    with _started(_repository(settings)) as repository:
        plan = _printed_plan(repository, wanted, force=options.force)
        terms = SyncTerms(options.by or _current_user(), options.force, options.reason)
        results = []
        for result in inventory_sync.carry_out(repository, plan, terms):
            print(result, flush=True)
            results.append(result)
    print(inventory_sync.summary(plan, results))
    return 0 if all(result.done for result in results) else 1


def _printed_plan(repository: ConfigMapRepository, wanted: Inventory, *, force: bool) -> Plan:
    """Return the plan after printing it; a Refusal if it would leave a purpose without clusters."""
    plan = inventory_plan.plan(repository.fresh().pool, wanted)
    print("\n".join(inventory_sync.plan_lines(plan)), flush=True)
    if not force:
        plan.check()
    return plan


def _argument(parse: Callable[[str], str]) -> Callable[[str], str]:
    """Return a parser of an argument whose error says what is expected."""

    def read(text: str) -> str:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"{brief(text)!r} cannot be used: expected {error}") from None

    return read


def _current_user() -> str:
    """Return the name of the operating system's user; `import` where there is none, as in many containers."""
    try:
        return parsers.person(getpass.getuser())
    except (KeyError, OSError, ValueError):
        return "import"
