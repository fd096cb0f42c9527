"""Market data in: fetched or imported, checked, versioned, and shown."""
