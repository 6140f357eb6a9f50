"""What a client can do, a file for each path of the API."""
