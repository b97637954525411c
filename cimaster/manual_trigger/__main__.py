"""The command line: `manual-trigger` runs the service, with a flag for each setting."""

import argparse
import sys

from cimaster.common.kubernetes_client import KubernetesClient
from cimaster.common.serving.launcher import become_gunicorn
from cimaster.common.settings import BadSetting, add_flags, put_in_environment
from cimaster.manual_trigger.settings import TriggerSettings


def main(arguments: list[str] | None = None) -> int:
    """Replace this process with the server; return 2 for wrong settings."""
    parser = argparse.ArgumentParser(
        prog="manual-trigger", description="Starts jobs of Prow on request.", allow_abbrev=False
    )
    add_flags(parser, TriggerSettings.prefix, TriggerSettings.variables())
    put_in_environment(parser.parse_args(arguments), TriggerSettings.prefix)
    try:
        KubernetesClient(TriggerSettings.from_environ().threads).close()
    except BadSetting as error:
        print(f"manual-trigger: {error}", file=sys.stderr)
        return 2
    return become_gunicorn("cimaster.manual_trigger.gunicorn_conf")


if __name__ == "__main__":
    sys.exit(main())
