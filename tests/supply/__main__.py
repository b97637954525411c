"""`make sbom`, `make licences` and `make audit`."""

import argparse
import subprocess
import sys
from datetime import datetime
from pathlib import Path

from tests.supply.audit import audit
from tests.supply.bill import bill
from tests.supply.licences import refusals
from tests.supply.shipped import LOCK, ROOT, NotInstalled, ourselves, packages, vendored


def main() -> None:
    """Carry out one of the commands."""
    parser = argparse.ArgumentParser(prog="python -m tests.supply", allow_abbrev=False)
    commands = parser.add_subparsers(required=True)
    sbom = commands.add_parser("sbom", help="write the bill of materials")
    sbom.add_argument("file", type=Path)
    sbom.set_defaults(run=lambda options: _write_bill(options.file))
    commands.add_parser("licences", help="list the licences").set_defaults(run=lambda _: _list_licences())
    commands.add_parser("audit", help="look for known vulnerabilities").set_defaults(run=lambda _: _audit())
    options = parser.parse_args()
    try:
        options.run(options)
    except NotInstalled as error:
        sys.exit(str(error))


def _write_bill(file: Path) -> None:
    text = bill(_time_of_commit())
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, "utf-8")
    print(f"wrote {file}")


def _time_of_commit() -> datetime:
    command = ["git", "log", "-1", "--format=%cI"]
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit("The bill carries the time of the last commit, and git cannot tell it: run this in a checkout.")
    return datetime.fromisoformat(done.stdout.strip())


def _list_licences() -> None:
    parts = [ourselves(), *packages(), *vendored()]
    for part in parts:
        print(f"{part.name:26}{part.version:20}{part.licence or 'unknown'}")
    if refused := refusals(parts):
        sys.exit("\n".join(refused))


def _audit() -> None:
    status, words = audit(LOCK)
    print(words, file=sys.stderr if status else sys.stdout)
    sys.exit(status)


if __name__ == "__main__":
    main()
