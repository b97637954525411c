"""Who may call manual-trigger, what they may start, and how often."""
