"""From bytes to a report on every face."""
