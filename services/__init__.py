"""What callers meet: the edge, the pipeline, the inference routes."""
