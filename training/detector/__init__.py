"""The detector: an anchor-free pyramid that learns on mosaics of pictures in which the teacher found the faces."""
