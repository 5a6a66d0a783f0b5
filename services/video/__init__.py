"""From a video's bytes to its frames, decoded in a child process."""
