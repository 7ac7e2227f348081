"""Messages between a job and its worker processes: a kind and some byte strings, over a connected pair of sockets."""

from multiprocessing.connection import Connection


def send(connection: Connection, kind: bytes, *parts: bytes) -> None:
    """Sends one message; large parts are not copied.

    Raises:
        OSError: the other side is gone.
    """
    connection.send_bytes(bytes([len(parts)]) + kind)
    for part in parts:
        connection.send_bytes(part)


def receive(connection: Connection) -> tuple[bytes, list[bytes]]:
    """The next message's kind and parts.

    Raises:
        EOFError: the other side is gone.
    """
    head = connection.recv_bytes()
    return head[1:], [connection.recv_bytes() for _ in range(head[0])]
