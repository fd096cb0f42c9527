"""What services say to each other: job kinds, messages, dataset schemas, identifiers, progress."""
