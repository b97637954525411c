"""The pool in its store, behind one repository class that combines concurrent changes into single writes."""
