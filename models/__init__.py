"""The catalogue, and the code that pulls, converts, verifies and registers weights."""
