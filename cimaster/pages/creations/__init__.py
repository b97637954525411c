"""The pages about clusters that are being created."""
