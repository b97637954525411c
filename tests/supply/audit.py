"""Compares the locked packages with the published vulnerabilities, by pip-audit.

pip-audit counts a package that its source does not know as skipped and then reports success, so an unreachable or
partial source could pass for a clean result. Here it is a failure of its own.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

FOUND, NOT_AUDITED = 1, 2
_COMMAND = (sys.executable, "-m", "pip_audit", "--require-hashes", "--disable-pip", "--progress-spinner=off")


def audit(lock: Path, *options: str) -> tuple[int, str]:
    """Audit a lock file; return the exit status and what to tell the developer. Needs the network."""
    command = [*_COMMAND, "--format=json", f"--requirement={lock}", *options]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    try:
        report = json.loads(done.stdout)
    except ValueError:
        return NOT_AUDITED, _unreachable(done.stderr)
    return judge(report["dependencies"])


def _unreachable(errors: str) -> str:
    last = errors.strip().rpartition("\n")[2]
    return f"Nothing was audited: pip-audit cannot reach its source of vulnerabilities. It needs the network. ({last})"


def judge(dependencies: Sequence[dict[str, Any]]) -> tuple[int, str]:
    """Return the exit status and the words for a report of pip-audit."""
    found = [
        f"{each['name']} {each['version']}: {_advice(each['vulns'])}" for each in dependencies if each.get("vulns")
    ]
    if found:
        return FOUND, "\n".join([*found, "Raise these versions: make lock."])
    skipped = [each["skip_reason"] for each in dependencies if "skip_reason" in each]
    if skipped:
        number = f"{len(skipped)} of {len(dependencies)} packages were not audited"
        why = "the source of vulnerabilities does not know them, or a proxy in front of it serves no advisories"
        return NOT_AUDITED, f"{number}: {why}. Run this on another network. ({skipped[0]})"
    if not dependencies:
        return NOT_AUDITED, "Nothing was audited: the lock file names no package."
    return 0, f"No known vulnerability; packages audited: {len(dependencies)}"


def _advice(vulnerabilities: Sequence[dict[str, Any]]) -> str:
    return "; ".join(
        f"{each['id']}, corrected in {' or '.join(each['fix_versions']) or 'no version yet'}"
        for each in vulnerabilities
    )
