"""The pool in its store: one repository class, which combines concurrent changes into single writes."""
