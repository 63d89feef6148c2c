/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <unistd.h>

#include "common/limits.h"
#include "tests/harness/test.h"
#include "vmset/vmset.h"

#define VM(name, color) name ": {color: '" color "', transport: 'local:/run/" name "'}"

static struct vmset_errors errors;

static struct vmset *parse_named(const char *name, const char *text) {
	return vmset_parse(name, text, strlen(text), NULL, &errors);
}

static void expect_valid(const char *text) {
	struct vmset *set = parse_named("f", text);
	char *report = vmset_errors_text(&errors);
	EXPECT_STR(report, "");
	EXPECT(set != NULL);
	free(report);
	vmset_errors_finish(&errors);
	vmset_destroy(set);
}

/* expected: all the lines that are printed. */
static void expect_report(const char *text, bool usable, const char *expected) {
	struct vmset *set = parse_named("f", text);
	char *report = vmset_errors_text(&errors);
	EXPECT_STR(report, expected);
	EXPECT((set != NULL) == usable);
	free(report);
	vmset_errors_finish(&errors);
	vmset_destroy(set);
}

static void expect_errors(const char *text, const char *expected) {
	expect_report(text, false, expected);
}

static const char full_set[] =
	"{\"version\": 1,\n"
	" \"guivm\": {\"keyboard\": {\"layout\": \"us,fi\", \"variant\": \"v\",\n"
	"   \"options\": \"o\", \"model\": \"m\", \"repeat_rate\": 0, \"repeat_delay_ms\": 300},\n"
	"   \"border\": {\"width\": 6}, \"clipboard\": \"deny\", \"background\": \"#010203\",\n"
	"   \"color\": \"#0a0B0c\"},\n"
	" \"vms\": {\"browser\": {\n"
	"   \"label\": \"Br\\u00f6wser\", \"color\": \"#9c0000\", \"trust\": \"untrusted\",\n"
	"   \"transport\": \"local:/run/isthmus/browser\",\n"
	"   \"start\": [\"systemctl\", \"start\", \"vm\"], \"autostart\": true,\n"
	"   \"memory_mib\": 4096, \"vcpus\": 4,\n"
	"   \"applications\": [{\"name\": \"Chromium\", \"exec\": [\"chromium\", \"\"],\n"
	"     \"description\": \"Web\", \"icon\": \"chromium\", \"categories\": [\"Network\"]}],\n"
	"   \"clipboard\": {\"read_from\": [], \"write_to\": [\"work\"]},\n"
	"   \"fullscreen\": \"allow\", \"inhibit_shortcuts\": true,\n"
	"   \"limits\": {\"pages_mib\": 100, \"clients\": 5, \"surfaces\": 7}},\n"
	"  \"work\": {\"color\": \"#0050d0\", \"transport\": \"stream:vsock:7:1\"}}}\n";

TEST(every_field_is_read) {
	struct vmset *set = parse_named("set.json", full_set);
	EXPECT(set != NULL);
	EXPECT_INT(set->version, 1);
	EXPECT_STR(set->guivm.keyboard_layout, "us,fi");
	EXPECT_STR(set->guivm.keyboard_variant, "v");
	EXPECT_STR(set->guivm.keyboard_options, "o");
	EXPECT_STR(set->guivm.keyboard_model, "m");
	EXPECT_INT(set->guivm.keyboard_repeat_rate, 0);
	EXPECT_INT(set->guivm.keyboard_repeat_delay_ms, 300);
	EXPECT_INT(set->guivm.border_width, 6);
	EXPECT_INT(set->guivm.clipboard, VMSET_DENY);
	EXPECT_INT(set->guivm.background, 0x010203);
	EXPECT_INT(set->guivm.color, 0x0a0b0c);
	EXPECT_INT(set->n_vms, 2);
	const struct vmset_vm *vm = vmset_find_vm(set, "browser");
	EXPECT(vm == &set->vms[0]);
	EXPECT_STR(vm->label, "Br\xc3\xb6wser");
	EXPECT_INT(vm->color, 0x9c0000);
	EXPECT_INT(vm->trust, VMSET_UNTRUSTED);
	EXPECT_STR(vm->transport, "local:/run/isthmus/browser");
	EXPECT_STR(vm->start.argv[2], "vm");
	EXPECT(vm->start.argv[3] == NULL);
	EXPECT(vm->autostart);
	EXPECT_INT(vm->memory_mib, 4096);
	EXPECT_INT(vm->vcpus, 4);
	EXPECT_STR(vm->clipboard_write_to[0], "work");
	EXPECT(vm->clipboard_write_to[1] == NULL && vm->clipboard_read_from[0] == NULL);
	EXPECT_INT(vm->fullscreen, VMSET_ALLOW);
	EXPECT(vm->inhibit_shortcuts);
	EXPECT_INT(vm->limits.pages_mib, 100);
	EXPECT_INT(vm->limits.clients, 5);
	EXPECT_INT(vm->limits.surfaces, 7);
	const struct vmset_application *application = vmset_find_application(vm, "Chromium");
	EXPECT(application != NULL);
	EXPECT_STR(application->description, "Web");
	EXPECT_STR(application->icon, "chromium");
	EXPECT_STR(application->exec.argv[0], "chromium");
	EXPECT_STR(application->exec.argv[1], "");
	EXPECT(application->exec.argv[2] == NULL);
	EXPECT_STR(application->categories[0], "Network");
	EXPECT(application->categories[1] == NULL);
	vmset_errors_finish(&errors);
	vmset_destroy(set);
}

TEST(what_is_not_given_has_its_default) {
	struct vmset *set = parse_named("f", "version: 1\nvms: {" VM("a", "#9c0000") "}\n");
	EXPECT(set != NULL);
	EXPECT_STR(set->guivm.keyboard_layout, "");
	EXPECT_INT(set->guivm.keyboard_repeat_rate, 25);
	EXPECT_INT(set->guivm.keyboard_repeat_delay_ms, 600);
	EXPECT_INT(set->guivm.border_width, 4);
	EXPECT_INT(set->guivm.clipboard, VMSET_ASK);
	const struct vmset_vm *vm = &set->vms[0];
	EXPECT_STR(vm->label, "a");
	EXPECT_INT(vm->trust, VMSET_NORMAL);
	EXPECT(vm->start.argv == NULL && !vm->autostart);
	EXPECT_INT(vm->fullscreen, VMSET_ASK);
	EXPECT(!vm->inhibit_shortcuts);
	EXPECT_INT(vm->limits.pages_mib, LIMIT_PAGES_MIB_DEFAULT);
	EXPECT_INT(vm->n_applications, 0);
	EXPECT(vm->clipboard_read_from[0] == NULL);
	EXPECT(vmset_find_vm(set, "b") == NULL);
	EXPECT(vmset_find_application(vm, "x") == NULL);
	vmset_errors_finish(&errors);
	vmset_destroy(set);
}

TEST(yaml_with_comments_means_the_same_as_json) {
	expect_valid("# my VMs\n"
		"version: 1\n"
		"vms:\n"
		"  work: # the employer's\n"
		"    color: \"#9c0000\"\n"
		"    transport: local:/run/isthmus/work\n"
		"    applications:\n"
		"      - name: Editor\n"
		"        exec: [gedit, --new-window]\n");
}

TEST(a_file_named_json_is_strict_json) {
	struct vmset *set = parse_named("f.json", "{\"version\": 1, \"vms\": {}} # no\n");
	EXPECT(set == NULL);
	EXPECT(errors.n_errors > 0);
	vmset_errors_finish(&errors);
}

TEST(all_errors_are_reported_at_once_in_file_order) {
	expect_errors(
		"version: 2\n"
		"vms:\n"
		"  a:\n"
		"    color: red\n"
		"    transprot: local:/run/a\n"
		"    vcpus: many\n"
		"  b: 7\n",
		"f:1:10: version: must be a whole number from 1 to 1, not 2\n"
		"f:4:5: vms.a.transport: is missing\n"
		"f:4:12: vms.a.color: must be a colour such as \"#9c0000\", not \"red\"\n"
		"f:5:5: vms.a.transprot: is not known; did you mean \"transport\"?\n"
		"f:6:12: vms.a.vcpus: must be a number, not the text \"many\"\n"
		"f:7:6: vms.b: must be a mapping, not a number\n");
}

TEST(json_errors_have_their_positions) {
	expect_errors("{\n\t\"version\": \"1\",\n\t\"vms\": []\n}\n",
		"f:2:13: version: must be a number, not the text \"1\"\n"
		"f:3:9: vms: must be a mapping, not a list\n");
}

TEST(what_is_missing_is_named) {
	expect_errors("{}", "f:1:1: version: is missing\nf:1:1: vms: is missing\n");
	expect_errors("{version: 1, vms: {a: {}}}",
		"f:1:23: vms.a.color: is missing\nf:1:23: vms.a.transport: is missing\n");
	expect_errors("{version: 1, vms: {a: {color: '#9c0000', transport: 'local:/a', "
		"applications: [{}]}}}",
		"f:1:80: vms.a.applications[0].exec: is missing\n"
		"f:1:80: vms.a.applications[0].name: is missing\n");
}

TEST(duplicate_keys_are_refused_with_both_places) {
	expect_errors("version: 1\nvms: {}\nversion: 1\n",
		"f:3:1: version: is there twice; first on line 1\n");
	expect_errors("version: 1\nvms:\n  " VM("a", "#9c0000") "\n  " VM("a", "#0050d0") "\n",
		"f:4:3: vms.a: is there twice; first on line 3\n");
}

TEST(unknown_keys_far_from_any_known_get_no_suggestion) {
	expect_errors("version: 1\nvms: {}\npineapple: 1\n", "f:3:1: pineapple: is not known\n");
}

TEST(two_applications_of_one_name_are_refused) {
	expect_errors("version: 1\nvms:\n  a: {color: '#9c0000', transport: 'local:/a', "
		"applications: [\n"
		"  {name: X, exec: [x]},\n  {name: X, exec: [y]}]}\n",
		"f:5:10: vms.a.applications[1].name: \"X\" is the name of two applications; "
		"the first is on line 4\n");
}

TEST(an_unquoted_colour_in_yaml_is_explained) {
	expect_errors("version: 1\nvms:\n  a:\n    transport: local:/a\n    color: #9c0000\n",
		"f:5:10: vms.a.color: must be a colour such as \"#9c0000\"; # without "
		"quotes begins "
		"a comment\n");
}

TEST(bad_vm_names_are_refused) {
	const char *rule = "a VM's name is a letter and then letters, digits, - and _, "
		"at most 31 together";
	const char *bad[] = {"1a", "a.b", "a/b", "-a", "\"\"", "\"a b\"", "\xc3\xa4",
		"a2345678901234567890123456789012"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char text[256];
		snprintf(text, sizeof(text), "version: 1\nvms: {%s: {color: '#9c0000', "
			"transport: 'local:/a'}}\n", bad[i]);
		EXPECT(parse_named("f", text) == NULL);
		EXPECT_INT(errors.count, 1);
		EXPECT_INT(errors.list[0].line, 2);
		EXPECT_INT(errors.list[0].column, 7);
		EXPECT_STR(errors.list[0].text, rule);
		vmset_errors_finish(&errors);
	}
	expect_valid("version: 1\nvms: {a234567890123456789012345678901: {color: '#9c0000', "
		"transport: 'local:/a'}}\n");
	expect_errors("version: 1\nvms: {guivm: {color: '#9c0000', transport: 'local:/a'}}\n",
		"f:2:7: vms.guivm: this name belongs to the GUI VM\n");
}

TEST(clipboard_references_to_vms_that_do_not_exist_are_refused) {
	expect_errors("version: 1\nvms: {" VM("work", "#0050d0") ",\n"
		"  b: {color: '#9c0000', transport: 'local:/b',\n"
		"    clipboard: {read_from: [work, wrk],\n      write_to: [elsewhere]}}}\n",
		"f:4:35: vms.b.clipboard.read_from[1]: there is no VM \"wrk\"; did you "
		"mean \"work\"?\n"
		"f:5:18: vms.b.clipboard.write_to[0]: there is no VM \"elsewhere\"\n");
}

TEST(two_vms_with_one_transport_are_refused) {
	expect_errors("version: 1\nvms:\n"
		"  a: {color: '#9c0000', transport: 'local:/run/x'}\n"
		"  b: {color: '#0050d0', transport: 'local:/run//x/,pixels=arena'}\n",
		"f:4:36: vms.b.transport: is the transport of a too\n");
	expect_valid("version: 1\nvms:\n"
		"  a: {color: '#9c0000', transport: 'stream:vsock:3:1'}\n"
		"  b: {color: '#0050d0', transport: 'stream:vsock:3:2'}\n");
}

TEST(a_label_of_another_vm_is_refused) {
	expect_errors("version: 1\nvms:\n"
		"  a: {color: '#9c0000', transport: 'local:/a', label: Bank}\n"
		"  b: {color: '#0050d0', transport: 'local:/b', label: bank}\n",
		"f:4:55: vms.b.label: is the label of a too\n");
	expect_errors("version: 1\nvms:\n"
		"  a: {color: '#9c0000', transport: 'local:/a', label: b}\n"
		"  b: {color: '#0050d0', transport: 'local:/b', label: Bank}\n",
		"f:3:55: vms.a.label: is the name of another VM\n");
}

TEST(labels_that_hide_something_are_refused) {
	expect_errors("{version: 1, vms: {a: {color: '#9c0000', transport: 'local:/a', "
		"label: \"a\\u202eb\"}}}",
		"f:1:72: vms.a.label: holds control characters or characters that cannot "
		"be seen\n");
	expect_errors("{version: 1, vms: {a: {color: '#9c0000', transport: 'local:/a', "
		"label: ' '}}}",
		"f:1:72: vms.a.label: must not be empty\n");
}

TEST(autostart_needs_a_start_command) {
	expect_errors("{version: 1, vms: {a: {color: '#9c0000', transport: 'local:/a', "
		"autostart: true}}}", "f:1:76: vms.a.autostart: needs a start command\n");
}

TEST(commands_need_a_program) {
	expect_errors("{version: 1, vms: {a: {color: '#9c0000', transport: 'local:/a',\n"
		" start: []}}}",
		"f:2:9: vms.a.start: must have at least the program's name\n");
	expect_errors("{version: 1, vms: {a: {color: '#9c0000', transport: 'local:/a',\n"
		" start: [1]}}}",
		"f:2:10: vms.a.start[0]: must be text in quotes, not a number\n");
	expect_errors("{version: 1, vms: {a: {color: '#9c0000', transport: 'local:/a',\n"
		" start: ['']}}}", "f:2:10: vms.a.start[0]: must be the program's name\n");
	expect_errors("{version: 1, vms: {a: {color: '#9c0000', transport: 'local:/a',\n"
		" start: 'vm start'}}}",
		"f:2:9: vms.a.start: must be a list, not the text \"vm start\"\n");
}

TEST(choices_are_listed) {
	expect_errors("{version: 1, vms: {}, guivm: {clipboard: maybe}}",
		"f:1:42: guivm.clipboard: must be \"deny\", \"ask\" or \"allow\", not \"maybe\"\n");
}

static void expect_number(const char *number, bool valid) {
	char text[256];
	snprintf(text, sizeof(text), "{version: 1, vms: {}, guivm: {border: {width: %s}}}", number);
	struct vmset *set = parse_named("f", text);
	EXPECT((set != NULL) == valid);
	EXPECT_INT(errors.count, valid ? 0 : 1);
	vmset_errors_finish(&errors);
	vmset_destroy(set);
}

TEST(numbers_are_whole_and_in_range) {
	expect_number("2", true);
	expect_number("32", true);
	expect_number("1", false);
	expect_number("33", false);
	expect_number("-4", false);
	expect_number("4.5", false);
	expect_number("04", false);
	expect_number("0x4", false);
	expect_number("99999999999999999999999", false);
	expect_number("true", false);
	expect_number("'4'", false);
	expect_number("null", false);
	expect_number("[4]", false);
}

static bool refuse_transport(const char *spec, char *error, size_t error_size) {
	snprintf(error, error_size, "unknown transport in \"%s\"", spec);
	return false;
}

TEST(a_transport_that_the_hook_refuses_is_an_error) {
	const char text[] = "{version: 1, vms: {a: {color: '#9c0000', transport: 'smoke:up'}}}";
	EXPECT(vmset_parse("f", text, strlen(text), refuse_transport, &errors) == NULL);
	EXPECT_INT(errors.count, 1);
	EXPECT_STR(errors.list[0].text, "unknown transport in \"smoke:up\"");
	EXPECT_STR(errors.list[0].field, "vms.a.transport");
	vmset_errors_finish(&errors);
}

TEST(aliases_anchors_and_tags_are_refused) {
	expect_errors("version: 1\nvms: &x {}\nguivm: *x\n",
		"f:2:9: YAML anchors (&) are not supported\n"
		"f:3:9: YAML aliases (*) are not supported: repeat the value\n");
	expect_errors("version: !!int 1\nvms: {}\n", "f:1:16: YAML tags (!) are not supported\n");
}

TEST(syntax_errors_have_a_position) {
	EXPECT(parse_named("f", "version: 1\nvms: {a\n") == NULL);
	EXPECT(errors.count >= 1);
	EXPECT(errors.list[0].line >= 2);
	EXPECT_STR(errors.list[0].field, "");
	vmset_errors_finish(&errors);
}

TEST(empty_and_second_documents_are_refused) {
	expect_errors("", "f: is empty\n");
	expect_errors("# nothing\n", "f: is empty\n");
	EXPECT(parse_named("f", "version: 1\nvms: {}\n---\nversion: 1\n") == NULL);
	EXPECT_STR(errors.list[0].text, "more than one document in the file");
	vmset_errors_finish(&errors);
}

static struct vmset *parse_repeated(const char *open, const char *close, size_t n) {
	size_t open_size = strlen(open), close_size = strlen(close);
	char *text = malloc(n * (open_size + close_size) + 1);
	EXPECT(text != NULL);
	for (size_t i = 0; i < n; i++) {
		memcpy(text + i * open_size, open, open_size);
		memcpy(text + n * open_size + i * close_size, close, close_size);
	}
	text[n * (open_size + close_size)] = '\0';
	struct vmset *set = parse_named("f", text);
	free(text);
	return set;
}

TEST(deep_nesting_is_refused) {
	EXPECT(parse_repeated("[", "]", LIMIT_VMSET_DEPTH) == NULL);
	EXPECT_STR(errors.list[0].text, "must be a mapping, not a list");
	vmset_errors_finish(&errors);
	EXPECT(parse_repeated("[", "]", LIMIT_VMSET_DEPTH + 1) == NULL);
	EXPECT_STR(errors.list[0].text, "lists and mappings are nested too deeply");
	vmset_errors_finish(&errors);
	EXPECT(parse_repeated("[", "]", 200000) == NULL);
	vmset_errors_finish(&errors);
	EXPECT(parse_repeated("{a: ", "}", 100000) == NULL);
	vmset_errors_finish(&errors);
}

TEST(a_mapping_of_very_many_entries_is_refused) {
	EXPECT(parse_repeated("a: 1\n", "", LIMIT_VMSET_KEYS + 1) == NULL);
	EXPECT_STR(errors.list[errors.count - 1].text, "too many entries in one mapping");
	vmset_errors_finish(&errors);
}

TEST(errors_past_the_limit_are_counted) {
	EXPECT(parse_repeated("a: 1\n", "", LIMIT_VMSET_KEYS) == NULL);
	EXPECT_INT(errors.count, LIMIT_VMSET_ERRORS);
	EXPECT(errors.n_errors >= LIMIT_VMSET_KEYS);
	vmset_errors_finish(&errors);
}

TEST(a_file_over_the_size_limit_is_refused) {
	char *text = malloc(LIMIT_VMSET_FILE_BYTES + 1);
	EXPECT(text != NULL);
	memset(text, '#', LIMIT_VMSET_FILE_BYTES + 1);
	EXPECT(vmset_parse("f", text, LIMIT_VMSET_FILE_BYTES + 1, NULL, &errors) == NULL);
	EXPECT_STR(errors.list[0].text, "is larger than 1048576 bytes");
	vmset_errors_finish(&errors);
	free(text);
}

TEST(more_vms_than_the_limit_are_refused) {
	char text[16384] = "version: 1\nvms:\n";
	for (int i = 0; i <= LIMIT_VMS; i++) {
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "  a%d: {}\n", i);
	}
	expect_errors(text, "f:3:3: vms: has 65 VMs; at most 64 are possible\n");
}

TEST(a_nul_in_a_text_is_refused) {
	expect_errors("{version: 1, vms: {}, guivm: {clipboard: \"ask\\0\"}}",
		"f:1:42: text holds a NUL character\n");
}

TEST(text_from_the_file_is_sanitised_in_reports) {
	expect_errors("{version: 1, vms: {}, \"\\e[31mx\": 1}",
		"f:1:23: \xef\xbf\xbd[31mx: is not known\n");
}

TEST(colours_too_alike_are_refused) {
	expect_errors("version: 1\nvms:\n  " VM("a", "#9c0000") "\n  " VM("b", "#9e0202") "\n",
		"f:4:14: vms.b.color: #9e0202 looks too much like #9c0000 of a\n");
}

TEST(colours_alike_to_colour_blind_people_are_a_warning) {
	struct vmset *set = parse_named("f",
		"version: 1\nvms:\n  " VM("a", "#b03030") "\n  " VM("b", "#5e5e1e") "\n");
	EXPECT(set != NULL);
	EXPECT_INT(errors.n_errors, 0);
	EXPECT_INT(errors.count, 1);
	EXPECT(errors.list[0].warning);
	EXPECT_STR(errors.list[0].field, "vms.b.color");
	vmset_errors_finish(&errors);
	vmset_destroy(set);
}

TEST(the_gui_vms_own_colour_is_a_warning) {
	expect_report("version: 1\nguivm: {color: '#9c0000'}\nvms:\n  "
		VM("a", "#9c0000") "\n", true,
		"f:4:14: vms.a.color: warning: #9c0000 looks too much like #9c0000, the "
		"frames of the "
		"GUI VM's own windows\n");
}

TEST(a_file_that_cannot_be_read_is_an_error) {
	EXPECT(vmset_load("/nonexistent/set.json", NULL, &errors) == NULL);
	char *report = vmset_errors_text(&errors);
	EXPECT_STR(report, "/nonexistent/set.json: No such file or directory\n");
	free(report);
	vmset_errors_finish(&errors);
	EXPECT(vmset_load("/", NULL, &errors) == NULL);
	EXPECT_STR(errors.list[0].text, "Is a directory");
	vmset_errors_finish(&errors);
}

TEST(a_file_is_loaded_and_its_errors_are_printed_to_a_descriptor) {
	char path[512], out[512];
	snprintf(path, sizeof(path), "%s/set.yaml", test_dir());
	FILE *file = fopen(path, "w");
	EXPECT(file != NULL);
	fputs("version: 1\nvms: []\n", file);
	fclose(file);
	EXPECT(vmset_load(path, NULL, &errors) == NULL);
	int fds[2];
	EXPECT_INT(pipe2(fds, O_CLOEXEC), 0);
	vmset_errors_print(&errors, fds[1]);
	ssize_t n = read(fds[0], out, sizeof(out) - 1);
	EXPECT(n > 0);
	out[n] = '\0';
	close(fds[0]);
	close(fds[1]);
	char expected[600];
	snprintf(expected, sizeof(expected), "%s:2:6: vms: must be a mapping, not a list\n", path);
	EXPECT_STR(out, expected);
	vmset_errors_finish(&errors);
}

TEST(damaged_sets_never_crash_the_reader) {
	test_random_seed(7);
	size_t size = strlen(full_set);
	char *text = malloc(size);
	EXPECT(text != NULL);
	for (int round = 0; round < 2000; round++) {
		memcpy(text, full_set, size);
		for (int i = 0; i < 3; i++) {
			text[test_random_below((uint32_t)size)] = (char)test_random();
		}
		size_t kept = test_random_below(4) == 0 ? test_random_below((uint32_t)size) : size;
		const char *name = round % 2 == 0 ? "f" : "f.json";
		struct vmset *set = vmset_parse(name, text, kept, NULL, &errors);
		EXPECT((set == NULL) == (errors.n_errors > 0));
		vmset_errors_finish(&errors);
		vmset_destroy(set);
	}
	free(text);
}
