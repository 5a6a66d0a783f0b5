"""The shape and pose of a face."""
