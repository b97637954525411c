"""The command `cimaster`: the server's commands and the client's, of which only the one that is called is imported."""

import importlib
import sys

SERVER_COMMANDS = ("serve", "import", "export", "drain", "rebuild-usage", "forget")


def main(arguments: list[str] | None = None) -> int:
    """Run a command; return its exit status."""
    given = sys.argv[1:] if arguments is None else arguments
    # The server takes a second to import, and a client's command must not.
    module = importlib.import_module(_module_of(given[0] if given else ""))
    status: int = module.main(given)
    return status


def _module_of(command: str) -> str:
    if command == "token":
        return "cimaster.token_command"
    return "cimaster.server_commands" if command in SERVER_COMMANDS else "cimaster.cli.program"


if __name__ == "__main__":
    sys.exit(main())
