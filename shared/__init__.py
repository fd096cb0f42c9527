"""What two services or more use. Nothing in here knows a business verb or a service."""
