"""One writer at a time, across processes and threads."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from facesocial.errors import StoreNotWritable


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Holds the lock file `path` (made if missing) until the block ends; waits for whoever holds it. Not re-entrant.

    Raises:
        StoreNotWritable: the file cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("ab")
    except OSError as error:
        raise StoreNotWritable(
            f"the model store cannot be written ({error.strerror}); BENTOML_HOME names its folder"
        ) from error
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
