"""The pages about clusters being created."""
