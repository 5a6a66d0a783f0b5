"""The process that decodes one video: `python -m services.video.child ORDER`, started by the reader.

It answers on stdout; before each frame it waits for a byte on stdin, which says that the slot is free.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import msgspec

from facesocial.errors import VideoTooLarge, VideoUnreadable
from services.video.messages import Answer, End, Failure, Header, Order, Shot


def main() -> None:
    """Decode what the order names, under its bounds."""
    order = msgspec.json.decode(sys.argv[1], type=Order)
    order.bounds.impose()
    try:
        for answer in _answers(order):
            _say(answer)
    except VideoTooLarge as error:
        _say(Failure("video_too_large", error.detail))
    except VideoUnreadable as error:
        _say(Failure("video_unreadable", error.detail))


def _answers(order: Order) -> Iterator[Answer]:
    from services.video.frames import open_video, read_frames  # FFmpeg comes in under the bounds

    with os.fdopen(order.file, "rb") as file, open_video(file, order.container, order.bounds) as video:
        context = video.stream.codec_context
        yield Header(video.codec, context.width, context.height)
        for picture in read_frames(video, order.bounds, order.fps):
            if not os.read(sys.stdin.fileno(), 1):
                return  # nobody listens any more
            plane = picture.pixels.planes[0]
            if os.pwrite(order.slot, plane, 0) != plane.buffer_size:
                raise VideoUnreadable("there is no memory left for the video's frames")
            width, height = picture.pixels.width, picture.pixels.height
            yield Shot(picture.index, picture.seconds, width, height, plane.line_size, picture.rotation)
    yield End()


def _say(answer: Answer) -> None:
    os.write(sys.stdout.fileno(), msgspec.json.encode(answer) + b"\n")


if __name__ == "__main__":
    main()
