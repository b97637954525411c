"""What CIMaster ships that others wrote: a bill of materials, the licences, and the known vulnerabilities."""
