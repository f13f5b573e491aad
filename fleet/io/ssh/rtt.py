"""How long a connection's packets take there and back, as the kernel has measured them."""

import socket
import struct
import sys
from typing import Any

# struct tcp_info of Linux: bytes before `tcpi_rtt` and `tcpi_min_rtt`, both in microseconds.
# Source: include/uapi/linux/tcp.h.
RTT, SHORTEST = 68, 148
# struct tcp_connection_info of macOS: bytes before `tcpi_srtt`, in milliseconds; the option's number.
# Source: xnu bsd/netinet/tcp.h and tcp_var.h; not run here.
MAC_RTT, MAC_OPTION = 44, 0x106


def rtt(sock: Any) -> float | None:
    """Seconds; None where nobody measured them (a jump host stands between, another system).

    The shortest there was, because answers that are held back for a while look like distance.
    """
    try:
        if sys.platform == "linux":
            said = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
            at = SHORTEST if len(said) >= SHORTEST + 4 else RTT
            micro = struct.unpack_from("=I", said, at)[0]
            return micro / 1e6 if 0 < micro < 0xFFFFFFFF else None
        if sys.platform == "darwin":
            milli = struct.unpack_from("=I", sock.getsockopt(socket.IPPROTO_TCP, MAC_OPTION, 256), MAC_RTT)[0]
            return milli / 1e3 if milli else None
    except (OSError, AttributeError, struct.error):
        return None
    return None
