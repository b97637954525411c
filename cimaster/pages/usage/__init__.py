"""The page about usage: how busy the clusters are, and with what."""
