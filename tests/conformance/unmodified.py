# SPDX-License-Identifier: BSD-2-Clause
"""A program of the distribution's own, the Python interpreter, speaks netmap: two ports, and frames between them."""
import fcntl
import mmap
import os
import select
import struct
import sys

NIOCREGIF, NIOCTXSYNC, NIOCRXSYNC = 0xc03c6992, 0x6994, 0x6995
NMREQ = struct.Struct('=16sIIIIIHHHHHHIII')
RING_HEAD, RING_TAIL, RING_SLOTS = 20, 28, 256


class Port:
    def __init__(self, name):
        self.fd = os.open('/dev/netmap', os.O_RDWR)
        req = bytearray(NMREQ.pack(name.encode(), 14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0))
        fcntl.ioctl(self.fd, NIOCREGIF, req)
        _, _, offset, size, *_ = NMREQ.unpack(req)
        self.mem = mmap.mmap(self.fd, size)
        tx_rings = struct.unpack_from('I', self.mem, offset + 24)[0]
        host_tx = struct.unpack_from('I', self.mem, offset + 36)[0]
        self.tx = offset + struct.unpack_from('q', self.mem, offset + 56)[0]
        self.rx = offset + struct.unpack_from('q', self.mem, offset + 56 + 8 * (tx_rings + host_tx))[0]

    def buffer(self, ring, slot):
        buf_ofs, _, size = struct.unpack_from('qII', self.mem, ring)
        index = struct.unpack_from('I', self.mem, ring + RING_SLOTS + 16 * slot)[0]
        return ring + buf_ofs + index * size

    def send(self, frame):
        head = struct.unpack_from('I', self.mem, self.tx + RING_HEAD)[0]
        at = self.buffer(self.tx, head)
        self.mem[at:at + len(frame)] = frame
        struct.pack_into('H', self.mem, self.tx + RING_SLOTS + 16 * head + 4, len(frame))
        struct.pack_into('II', self.mem, self.tx + RING_HEAD, head + 1, head + 1)
        fcntl.ioctl(self.fd, NIOCTXSYNC)

    def receive(self):
        head, _, tail = struct.unpack_from('III', self.mem, self.rx + RING_HEAD)
        assert tail == head + 1, (head, tail)
        length = struct.unpack_from('H', self.mem, self.rx + RING_SLOTS + 16 * head + 4)[0]
        at = self.buffer(self.rx, head)
        struct.pack_into('II', self.mem, self.rx + RING_HEAD, tail, tail)
        return self.mem[at:at + length]


a, b = Port(sys.argv[1]), Port(sys.argv[2])
for wait in ('poll', 'select', 'epoll'):
    frame = b'\xff' * 6 + b'\x02' * 6 + wait.encode().ljust(48)
    a.send(frame)
    if wait == 'poll':
        p = select.poll()
        p.register(b.fd, select.POLLIN)
        assert p.poll(5000) == [(b.fd, select.POLLIN)]
    elif wait == 'select':
        assert select.select([b.fd], [], [], 5)[0] == [b.fd]
    else:
        e = select.epoll()
        e.register(b.fd, select.EPOLLIN)
        assert e.poll(5) == [(b.fd, select.EPOLLIN)]
    assert b.receive() == frame, wait
