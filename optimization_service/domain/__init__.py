"""What a batch is, and how good its best would look by luck alone. No files, no database, no clock."""
