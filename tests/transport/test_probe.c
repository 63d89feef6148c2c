/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/harness/test.h"
#include "transport/kvm.h"
#include "transport/probe.h"

#define SIZE (4 << 20)

static struct transport_probe speeds(double read, double write) {
	return (struct transport_probe){.read = read, .write = write, .ordinary_read = 8e9,
		.ordinary_write = 6e9, .size = 64 << 20};
}

static void expect_words(enum transport_role role, double read, double write, const char *kind,
		const char *words) {
	struct transport_probe probe = speeds(read, write);
	probe.role = role;
	EXPECT_STR(transport_probe_kind(&probe), kind);
	char text[1024] = "";
	FILE *out = fmemopen(text, sizeof(text), "w");
	EXPECT(out != NULL);
	transport_probe_print(&probe, out);
	fclose(out);
	EXPECT(strstr(text, "size   64 MiB\n") != NULL);
	EXPECT(strstr(text, kind) != NULL && strstr(text, words) != NULL);
}

TEST(what_is_about_as_fast_as_ordinary_memory_is_cached) {
	expect_words(TRANSPORT_GUIVM, 8e9, 6e9, "cached", "as fast as it can be");
	expect_words(TRANSPORT_APPVM, 4e9, 3e9, "cached", "as fast as it can be");
}

TEST(what_is_written_fast_and_read_slowly_is_write_combining) {
	expect_words(TRANSPORT_GUIVM, 1e8, 5e9, "write-combining", "read pixels slowly");
	expect_words(TRANSPORT_APPVM, 1e8, 5e9, "write-combining", "good for writing");
}

TEST(what_is_slow_both_ways_is_uncached) {
	expect_words(TRANSPORT_GUIVM, 5e7, 1e8, "uncached", "read pixels slowly");
	expect_words(TRANSPORT_APPVM, 5e7, 1e8, "uncached", "write pixels slowly");
}

TEST(speeds_are_measured_beside_ordinary_memory) {
	struct transport_probe probe = {.size = 1};
	uint8_t *memory = malloc(100000);
	EXPECT(transport_probe_measure(memory, 100000, &probe));
	EXPECT(probe.read > 0 && probe.write > 0);
	EXPECT(probe.ordinary_read > 0 && probe.ordinary_write > 0);
	free(memory);
}

/* Rings, header and arenas are somebody's. */
TEST(memory_in_use_is_left_alone) {
	char path[300], spec[400], error[300] = "";
	snprintf(path, sizeof(path), "%s/memory", test_dir());
	snprintf(spec, sizeof(spec), "kvm:mem=file:%s,bell=unix:%s/bell", path, test_dir());
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	EXPECT(fd >= 0 && ftruncate(fd, SIZE) == 0);
	uint8_t *memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	EXPECT(memory != MAP_FAILED);
	memset(memory, 0x5a, SIZE);
	for (int role = TRANSPORT_GUIVM; role <= TRANSPORT_APPVM; role++) {
		struct transport_probe probe;
		EXPECT(transport_probe(spec, (enum transport_role)role, &probe, error,
			sizeof(error)));
		EXPECT_INT(probe.size, SIZE);
		EXPECT(memory[KVM_SCRATCH_OFFSET] != 0x5a); // it was measured there
		for (size_t i = 0; i < SIZE; i++) {
			bool scratch = i >= KVM_SCRATCH_OFFSET && i < KVM_ARENAS_OFFSET;
			EXPECT(scratch || memory[i] == 0x5a);
		}
	}
	munmap(memory, SIZE);
	close(fd);
}
