/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_TRANSPORT_TRANSPORT_H
#define ISTHMUS_TRANSPORT_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>

struct wl_event_loop;

/*
 * A transport is the place where the two ends of one VM's link find each other. It outlives every
 * vchan and pages connection made through it: either end may die and come back, in any order.
 * Opening does everything that needs the file system or privileges, so that the GUI side can enter
 * its sandbox between transport_open() and the first vchan_create(). What that side calls after it:
 * accept4, socketpair, memfd_create, ftruncate, fcntl, mmap, munmap, sendmsg, recvmsg, sendto,
 * recvfrom, read, write, pwrite, poll, shutdown, fstat, fstatfs, close, epoll_ctl, epoll_wait,
 * getpeername, transport_ioctl_request(), and unlink in transport_close() (it may fail).
 *
 *   local:DIR[,pixels=handover|arena]
 *       Two processes of one kernel. The GUI side creates DIR/vchan, a unix socket (and DIR, with
 *       mode 0700, when only that is missing); the application side only connects to it, so DIR can
 *       be mounted read-only there. The application side waits for DIR and the socket to appear.
 *       pixels=handover (default): clients' own memory crosses; arena: pixels are copied into
 *       shared arenas, as every VM backend must.
 *   kvm:mem=ivshmem:ADDRESS,bell=serial:PATH | kvm:mem=ivshmem:ADDRESS,bell=vsock:CID:PORT |
 *   kvm:mem=vfio:ADDRESS,bell=doorbell:ADDRESS | kvm:mem=file:PATH,bell=unix:PATH
 *       Two virtual machines that share memory of at least 2 MiB, one pair of machines per memory.
 *       ivshmem:ADDRESS is the PCI address of an ivshmem device in this machine (0000:00:05.0); its
 *       file resource2 in sysfs must be readable and writable, and the device enabled (done here
 *       when privileges allow it). mem=dax:PATH is a device-DAX device over memory that both
 *       machines have (virtio-pmem), readable and writable, mapped cached. serial:PATH is a
 *       virtio-serial port whose chardev is joined to the other machine's
 *       (/dev/virtio-ports/NAME). vsock:CID:PORT is a connection between the two, as in
 *       stream:vsock: below, without the pixels. doorbell:ADDRESS are the interrupts of an
 *       ivshmem-doorbell device bound to vfio-pci, and vfio:ADDRESS that same device's memory.
 *       file: and unix: are for two processes of one machine: a file that both map, and a socket at
 *       which the GUI side listens. Every other memory goes with each bell.
 *       mem=KIND:NAME+KIND:NAME..., up to eight, is more memory, named in the same order on both
 *       sides. Either end may start first. The other machine's end, and that of a process in it, is
 *       noticed within a second. Paths hold no comma and no plus.
 *   stream:unix:PATH | stream:vsock:CID:PORT | stream:vsock:any:PORT | stream:fd:N
 *       Any stream socket; pixels travel inline. The GUI side listens, the application side
 *       connects. CID is always the other side's: the GUI side accepts connections from that VM
 *       only, and with "any" those of every VM that can reach the port, each of which may then
 *       pass for the one that is meant. stream:fd:N takes over a connected socket, once: there is
 *       no second peer.
 *   xen:DOMAIN:NAME[,grants=writable]
 *       Two domains of Xen. DOMAIN is the other one: its number, or its name as the toolstack wrote
 *       it: to vm-data/isthmus/NAME of this domain in XenStore (the number), or, in dom0, its own.
 *       NAME tells links between the same two domains apart. The application side is libxenvchan's
 *       server, the GUI side its client (transport/xen.h); either may start first, and an end of
 *       either domain is noticed at once. Both ends may be in one domain only if that is PV.
 *       Opening forks a process, which stays outside of the sandbox; the GUI side alone does so.
 *       Memory is shared read-only; with grants=writable, on the application side, a drop-in
 *       relay's compositor can map it, too. Built where libxenvchan is.
 */
enum transport_role {
	TRANSPORT_GUIVM, // the trusted side: lays memory out, listens
	TRANSPORT_APPVM, // connects, shares pages
};

enum transport_caps {
	TRANSPORT_PAGES = 1 << 0, // pages_create() works: memory can be shared
	TRANSPORT_HANDOVER = 1 << 1, // pages_share_fd() works: a client's own memfd can cross
	TRANSPORT_SAME_CLOCK = 1 << 2, // both ends read the same CLOCK_MONOTONIC
};

struct transport;

/*
 * Parses spec and opens the transport. On failure returns NULL and writes one line of text that
 * names the part of spec or the path at fault into error. spec is copied. loop is borrowed and must
 * outlive it.
 */
struct transport *transport_open(struct wl_event_loop *loop, const char *spec,
		enum transport_role role, char *error, size_t error_size);

/* Every vchan and pages object made through it must be gone. NULL is legal. Removes the sockets it
 * created, where it may. stream: drops what a destroyed vchan still had to send. */
void transport_close(struct transport *transport);

/* Checks spec without opening anything; the VM set reader uses it. error as above. */
bool transport_spec_check(const char *spec, char *error, size_t error_size);

/* A set of enum transport_caps, as both ends derive it from the spec: the same on both. */
unsigned transport_caps(const struct transport *transport);

/* GUI side, for the sandbox: the one request of ioctl() that is made after opening, 0 for none. */
unsigned long transport_ioctl_request(const struct transport *transport);

/* The spec as given, for messages. */
const char *transport_spec(const struct transport *transport);

#endif
