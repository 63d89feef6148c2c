/* SPDX-License-Identifier: Apache-2.0 */
#include "appvm-proxy/farewell.h"

#include <stdlib.h>
#include <unistd.h>

#include "bridge/hangup.h"
#include "common/limits.h"

struct farewell {
	struct wl_list link; // struct farewell_list.farewells
	struct farewell_list *list;
	struct hangup *hangup;
};

void farewell_list_init(struct farewell_list *list, struct wl_event_loop *loop) {
	*list = (struct farewell_list){.loop = loop};
	wl_list_init(&list->farewells);
}

static void farewell_destroy(struct farewell *farewell) {
	hangup_destroy(farewell->hangup);
	wl_list_remove(&farewell->link);
	farewell->list->count--;
	free(farewell);
}

void farewell_list_finish(struct farewell_list *list) {
	struct farewell *farewell, *next;
	wl_list_for_each_safe (farewell, next, &list->farewells, link) {
		farewell_destroy(farewell);
	}
}

static void farewell_handle_ended(void *data) {
	farewell_destroy(data);
}

void farewell_list_add(struct farewell_list *list, int fd) {
	static const struct hangup_limits limits = {LIMIT_HANGUP_MS, LIMIT_FAREWELL_BYTES};
	struct farewell *farewell = calloc(1, sizeof(*farewell));
	if (farewell == NULL) {
		close(fd);
		return;
	}
	farewell->list = list;
	farewell->hangup = hangup_create(
			list->loop, fd, &limits, farewell_handle_ended, farewell);
	if (farewell->hangup == NULL) {
		close(fd);
		free(farewell);
		return;
	}
	wl_list_insert(list->farewells.prev, &farewell->link);
	if (++list->count > LIMIT_FAREWELLS) {
		farewell_destroy(wl_container_of(list->farewells.next, farewell, link));
	}
}
