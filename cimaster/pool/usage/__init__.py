"""Usage of the clusters, summed from the history: how busy they were, for which jobs and people, and how it failed."""
