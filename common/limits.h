/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISTHMUS_COMMON_LIMITS_H
#define ISTHMUS_COMMON_LIMITS_H

/*
 * Every count, string, queue and size that a peer or a configuration file controls, and what
 * happens when it is reached:
 *   [link]   the link is closed with LINK_BYE_LIMIT; that VM loses its windows
 *   [app]    that application gets a protocol error and is disconnected
 *   [stall]  the sender is not read from until there is room again
 *   [refuse] the one operation fails with a message
 *   [cut]    the text is shortened
 *   [config] the VM set is refused with an error at that field
 */

/* Names. */
#define LIMIT_VM_NAME_BYTES 31 /* [config] without the NUL; Qubes has the same limit */
#define LIMIT_VM_LABEL_BYTES 64 /* [config] */
#define LIMIT_APP_NAME_BYTES 128 /* [config] and LINK_LAUNCH: [link] */
#define LIMIT_TITLE_BYTES 256 /* [cut] window titles and app ids, after sanitising */
#define LIMIT_LOG_TEXT_BYTES 200 /* [cut] peer text in a log line */
#define LIMIT_LOG_LINES 100 /* [cut] that one VM causes in each program, in LIMIT_LOG_MS */
#define LIMIT_LOG_MS 60000

/* The VM set. */
#define LIMIT_VMSET_FILE_BYTES (1024 * 1024) /* [config] */
#define LIMIT_VMS 64 /* [config] */
#define LIMIT_APPS_PER_VM 256 /* [config] */
#define LIMIT_ARGV 64 /* [config] words in one command */
#define LIMIT_VMSET_TEXT_BYTES 4096 /* [config] any one string */
#define LIMIT_VMSET_DEPTH 16 /* [config] lists and mappings inside each other */
#define LIMIT_VMSET_KEYS 1024 /* [config] entries of one mapping */
#define LIMIT_VMSET_NODES 400000 /* [config] values of one file */
#define LIMIT_VMSET_ERRORS 200 /* [cut] errors reported for one file */
#define LIMIT_CATEGORIES 16 /* [config] menu categories of one application */

/* The link. */
#define LIMIT_LINK_FRAME_BYTES (64 * 1024) /* [link] one frame, header included */
#define LIMIT_LINK_QUEUE_BYTES (8 * 1024 * 1024) /* own queue to the vchan: [link] */
#define LIMIT_LINK_QUEUE_HIGH_BYTES (256 * 1024) /* [stall] sources feeding the link pause */
#define LIMIT_CLIENTS_PER_LINK 1024 /* [app] hard cap; limits.clients is usually lower */
#define LIMIT_CLIENT_WINDOW_BYTES (256 * 1024) /* [stall] unacknowledged bytes per client, way */
#define LIMIT_FAREWELLS 64 /* [cut] applications that may still read why they were ended */
#define LIMIT_FAREWELL_BYTES (1024 * 1024) /* [cut] what one of them says meanwhile */
#define LIMIT_FILE_BYTES (4 * 1024 * 1024) /* [app] one keymap, format table or ICC profile */
#define LIMIT_FILES_PER_LINK 64 /* [link] files arrived and not yet named */
#define LIMIT_PIPES_PER_LINK 256 /* [app] open pipes exported by one end */
#define LIMIT_PIPE_WINDOW_BYTES (256 * 1024) /* [stall] unacknowledged bytes per pipe */

/* Wayland. */
#define LIMIT_WAYLAND_MESSAGE_BYTES 4096 /* [app] libwayland's own default buffer */
#define LIMIT_WAYLAND_FDS_PER_MESSAGE 4 /* no interface has more than one today */
#define LIMIT_OBJECTS_PER_CLIENT 65536 /* [app] client-made objects alive at once */
#define LIMIT_PILED_UP 4096 /* [app] damage until a commit, rectangles of a region, offered types */
#define LIMIT_PILED_UP_BYTES (4 * 1024 * 1024) /* [app] of such requests, for all its objects */
#define LIMIT_SERVER_OBJECTS_PER_CLIENT 16384 /* [app] */
#define LIMIT_GLOBALS 256 /* [link] in drop-in mode: of a compositor */

/* Pixels. */
#define LIMIT_BUFFER_SIDE_PX 16384 /* [app] width and height */
/* [stall] places of one surface that come back: shown, next, being filled */
#define LIMIT_SLOTS_PER_SURFACE 3
#define LIMIT_ARENAS_PER_LINK 256 /* [link] */
#define LIMIT_ARENAS_ADOPTED 128 /* of them applications' own memory; the rest is copied */
#define LIMIT_EXPORTS 128 /* of them dma-bufs as well; the rest is uploaded to the GPU */
#define LIMIT_BUFFERS_PER_LINK 4096 /* [app] wl_buffer and wl_shm_pool objects of one VM, dmabufs */
/* [cut] until the other side has hung up a connection that is over */
#define LIMIT_HANGUP_MS 5000
#define LIMIT_FDS_PER_OBJECT 4 /* [app] dmabufs of one buffer: it has so many planes */
#define LIMIT_PAGES_MIB_DEFAULT 512 /* [app] shared pixels of one VM */
#define LIMIT_PAGES_MIB_MAX 65536 /* [config] */
#define LIMIT_PAGES_REGIONS 4096 /* [app] regions shared or mapped at once */
#define LIMIT_PAGES_UNCLAIMED 64 /* [link] regions offered that no message named yet */

/* The desktop. */
#define LIMIT_SURFACES_PER_VM_DEFAULT 500 /* [app] */
#define LIMIT_CLIENTS_PER_VM_DEFAULT 64 /* [app] */
#define LIMIT_DAMAGE_RECTS 128 /* [cut] of one commit: then all that is between them */
#define LIMIT_OPAQUE_RECTS 64 /* [cut] of one surface: then nothing of it is */
#define LIMIT_REGION_RECTS 4096 /* [app] of one wl_region */
#define LIMIT_WAITING_COMMIT_BYTES (4 * 1024 * 1024) /* [app] one client's, that wait */
#define LIMIT_OF_A_KIND 128 /* [app] one client's text inputs, say: see guivm-server/crowds.c */
#define LIMIT_OUTPUT_OBJECTS 1024 /* [app] the same; libraries leave some behind */
#define LIMIT_ICON_BUFFERS 64 /* [app] of one xdg_toplevel_icon_v1 */
#define LIMIT_UNACKED_CONFIGURES 16384 /* [app] one client's; one that reads none ends as soon */
#define LIMIT_ACTIVATION_TOKENS 128 /* [cut] of one VM: its oldest goes */
#define LIMIT_CARRIED_BYTES (1024 * 1024) /* [refuse] text that the user takes to another VM */
#define LIMIT_CARRIED_PASTES 8 /* [cut] readers of it at once: the oldest gets no more */
#define LIMIT_CURSOR_SIDE_PX 128 /* [refuse] a VM's cursor image, in logical pixels */

#endif
