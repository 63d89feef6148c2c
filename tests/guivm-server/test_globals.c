/* SPDX-License-Identifier: Apache-2.0 */
#include "allow_list.h"
#include "tests/guivm-server/desk.h"
#include "tests/harness/ignore.h"

#define MAX_GLOBALS 128

struct offered {
	char interface[80];
	uint32_t version;
};

struct globals {
	struct offered list[MAX_GLOBALS];
	size_t n;
};

static void handle_global(void *data, struct wl_registry *registry, uint32_t name,
		const char *interface, uint32_t version) {
	struct globals *globals = data;
	EXPECT(globals->n < MAX_GLOBALS);
	struct offered *offered = &globals->list[globals->n++];
	snprintf(offered->interface, sizeof(offered->interface), "%s", interface);
	offered->version = version;
}

static const struct wl_registry_listener listener = {handle_global, IGNORE};

static void list_globals(struct desk *desk, const char *vm, struct globals *globals) {
	struct app app;
	app_connect(&app, desk, vm);
	*globals = (struct globals){0};
	struct wl_registry *registry = wl_display_get_registry(app.display);
	wl_registry_add_listener(registry, &listener, globals);
	app_roundtrip(&app);
	wl_registry_destroy(registry);
	app_disconnect(&app);
}

static bool withheld_list_has(const char *interface, uint32_t version, char who[16]) {
	char path[512], line[512], name[80];
	snprintf(path, sizeof(path), "%s/protocol/withheld.list", getenv("ISTHMUS_SOURCE"));
	FILE *file = fopen(path, "r");
	EXPECT(file != NULL);
	bool found = false;
	while (!found && fgets(line, sizeof(line), file) != NULL) {
		uint32_t listed;
		found = sscanf(line, "%79s %u %15s", name, &listed, who) == 3 &&
			strcmp(name, interface) == 0 && listed == version;
	}
	fclose(file);
	return found;
}

TEST(every_global_is_in_the_table_with_its_version)
{
	struct desk desk;
	struct globals globals;
	desk_init(&desk);
	list_globals(&desk, "", &globals);
	EXPECT(globals.n > 30);
	for (size_t i = 0; i < globals.n; i++) {
		const struct offered *offered = &globals.list[i];
		char who[16] = "";
		bool known = allow_list_max_version(offered->interface) == offered->version ||
			(withheld_list_has(offered->interface, offered->version, who) &&
				strcmp(who, "local") == 0);
		if (!known) {
			test_fail(__FILE__, __LINE__, "%s %u: in neither list of protocol/",
					offered->interface, offered->version);
		}
	}
	desk_finish(&desk);
}

/* And its relay one that it keeps to itself. */
TEST(a_vm_sees_each_allowed_global_once_and_no_other)
{
	struct desk desk;
	struct globals local, globals;
	desk_init(&desk);
	list_globals(&desk, "", &local);
	list_globals(&desk, "work", &globals);
	size_t n_allowed = 0;
	for (size_t i = 0; i < local.n; i++) {
		n_allowed += allow_list_permits(local.list[i].interface, true);
	}
	EXPECT_INT(globals.n, n_allowed + 1);
	for (size_t i = 0; i < globals.n; i++) {
		const char *interface = globals.list[i].interface;
		EXPECT(allow_list_permits(interface, true) ||
			strcmp(interface, "isthmus_arena_manager_v1") == 0);
		for (size_t j = 0; j < i; j++) {
			EXPECT(strcmp(globals.list[i].interface, globals.list[j].interface) != 0);
		}
	}
	desk_finish(&desk);
}
