"""The command `cimaster`: the server's commands and the client's, of which only the one that is called is imported."""

import importlib
import sys

SERVER_COMMANDS = ("serve", "import", "export", "drain", "rebuild-usage", "forget")


def main(arguments: list[str] | None = None) -> int:
    """Run a command; return its exit status."""
    given = sys.argv[1:] if arguments is None else arguments
    serves = bool(given) and given[0] in SERVER_COMMANDS
    # The server takes a second to import, and a client's command must not.
    module = importlib.import_module("cimaster.server_commands" if serves else "cimaster.cli.program")
    status: int = module.main(given)
    return status


if __name__ == "__main__":
    sys.exit(main())
