"""Access to manual-trigger: tokens of callers, rules of what may be started, and limits of how often."""
