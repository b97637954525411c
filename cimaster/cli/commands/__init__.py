"""The client's commands, a module for each kind of caller."""
