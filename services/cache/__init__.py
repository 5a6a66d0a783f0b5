"""Answers given again: exact, encrypted, for minutes, and never the reason why a request fails."""

from services.cache.cache import Counts, Lookup, ResultCache
from services.cache.keys import Question

__all__ = ["Counts", "Lookup", "Question", "ResultCache"]
