"""What the tests of every service use. Nothing here runs in production."""
