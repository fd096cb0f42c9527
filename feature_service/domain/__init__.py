"""Features as declarations plus arithmetic on arrays: no files, no database, no clock."""
