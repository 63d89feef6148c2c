/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

/*
 * regress [--iterations N]: tries seeds, stored inputs and mutations of them, the same in each run.
 * regress --write DIR: writes seeds and stored inputs as files for libFuzzer.
 * An input ends at a page that can not be read, so that reading past it shows without sanitizers.
 */
#define MAX_INPUTS 1024
#define DEFAULT_ITERATIONS 200000

struct input {
	uint8_t *bytes; // owned
	size_t size;
};

static struct input inputs[MAX_INPUTS];
static uint32_t n_inputs, n_seeds;

/* The input on trial, for the crash handler. */
static const uint8_t *current;
static size_t current_size;

static uint64_t random_state = 0x9e3779b97f4a7c15;

static uint32_t random_below(uint32_t limit) {
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (random_state * 0x2545f4914f6cdd1d >> 32) % limit;
}

static void handle_crash(int number) {
	static const char digits[] = "0123456789abcdef";
	static char line[2 * FUZZ_MAX_BYTES + 1];
	size_t n = 0;
	for (; n < current_size; n++) {
		line[2 * n] = digits[current[n] >> 4];
		line[2 * n + 1] = digits[current[n] & 15];
	}
	line[2 * n] = '\n';
	static const char text[] = "# failed on this input:\n";
	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0 ||
			write(STDERR_FILENO, line, 2 * n + 1) < 0) {
		_exit(2);
	}
	signal(number, SIG_DFL);
	raise(number);
}

static void input_add(const uint8_t *bytes, size_t size) {
	FUZZ_CHECK(n_inputs < MAX_INPUTS && size <= FUZZ_MAX_BYTES);
	struct input *input = &inputs[n_inputs++];
	input->bytes = malloc(size > 0 ? size : 1);
	FUZZ_CHECK(input->bytes != NULL);
	memcpy(input->bytes, bytes, size);
	input->size = size;
}

static void load_seeds(void) {
	uint8_t bytes[FUZZ_MAX_BYTES];
	size_t size;
	while ((size = fuzz_seed(n_seeds, bytes)) > 0) {
		input_add(bytes, size);
		n_seeds++;
	}
}

static int hex_digit(char c) {
	return isdigit((unsigned char)c) ? c - '0' : c - 'a' + 10;
}

/* Lines of hexadecimal digits; # starts a comment. */
static void load_stored(const char *path) {
	FILE *file = fopen(path, "r");
	FUZZ_CHECK(file != NULL);
	static char line[2 * FUZZ_MAX_BYTES + 2];
	uint8_t bytes[FUZZ_MAX_BYTES];
	while (fgets(line, sizeof(line), file) != NULL) {
		size_t n = strspn(line, "0123456789abcdef");
		FUZZ_CHECK(n % 2 == 0 && (line[n] == '\n' || line[n] == '#'));
		for (size_t i = 0; i < n; i += 2) {
			bytes[i / 2] = hex_digit(line[i]) << 4 | hex_digit(line[i + 1]);
		}
		if (n > 0) {
			input_add(bytes, n / 2);
		}
	}
	fclose(file);
}

static uint8_t *guarded_end(void) {
	long page = sysconf(_SC_PAGESIZE);
	size_t size = (FUZZ_MAX_BYTES + page - 1) / page * page;
	uint8_t *memory = mmap(NULL, size + page, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	FUZZ_CHECK(memory != MAP_FAILED && mprotect(memory + size, page, PROT_NONE) == 0);
	return memory + size;
}

static void try_input(uint8_t *end, const uint8_t *bytes, size_t size) {
	memcpy(end - size, bytes, size);
	current = bytes;
	current_size = size;
	LLVMFuzzerTestOneInput(end - size, size);
}

static void set_word(uint8_t *bytes, size_t size) {
	static const uint32_t interesting[] = { 0, 1, 2, 3, 4, 7, 8, 16, 0x7fffffff, 0x80000000,
		0xffffffff, 0xfffffffc, 0xfe000000, 0xff000000, 4096, 4100, 65536, 0x00100000 };
	uint32_t word = interesting[random_below(sizeof(interesting) / sizeof(interesting[0]))];
	if (size >= 4) {
		memcpy(bytes + random_below(size / 4) * 4, &word, sizeof(word));
	}
}

/* Copies a range of another input over or behind this one's bytes. */
static size_t splice(uint8_t *bytes, size_t size) {
	const struct input *other = &inputs[random_below(n_inputs)];
	size_t from = random_below(other->size + 1), to = random_below(size + 1);
	size_t count = random_below(other->size - from + 1);
	if (count > FUZZ_MAX_BYTES - to) {
		count = FUZZ_MAX_BYTES - to;
	}
	memcpy(bytes + to, other->bytes + from, count);
	return to + count > size ? to + count : size;
}

static size_t mutate(uint8_t *bytes, size_t size) {
	for (uint32_t n = 1 + random_below(4); n > 0 && size > 0; n--) {
		switch (random_below(5)) {
		case 0:
			bytes[random_below(size)] ^= 1 << random_below(8);
			break;
		case 1:
			bytes[random_below(size)] = random_below(256);
			break;
		case 2:
			set_word(bytes, size);
			break;
		case 3:
			size = splice(bytes, size);
			break;
		case 4:
			size = random_below(8) == 0 ? random_below(size + 1) : size;
			break;
		}
	}
	return size;
}

static void write_inputs(const char *directory) {
	for (uint32_t i = 0; i < n_inputs; i++) {
		char path[4096];
		snprintf(path, sizeof(path), "%s/%04u", directory, i);
		FILE *file = fopen(path, "w");
		FUZZ_CHECK(file != NULL);
		FUZZ_CHECK(fwrite(inputs[i].bytes, 1, inputs[i].size, file) == inputs[i].size);
		FUZZ_CHECK(fclose(file) == 0);
	}
}

static void try_all(uint32_t iterations) {
	uint8_t *end = guarded_end();
	printf("1..3\n");
	for (uint32_t i = 0; i < n_inputs; i++) {
		uint64_t accepted = fuzz_accepted;
		try_input(end, inputs[i].bytes, inputs[i].size);
		FUZZ_CHECK(i >= n_seeds || fuzz_accepted > accepted);
		if (i + 1 == n_seeds) {
			printf("ok 1 - %u seeds, %llu frames or messages\n", n_seeds,
					(unsigned long long)fuzz_accepted);
		}
	}
	printf("ok 2 - %u stored inputs\n", n_inputs - n_seeds);
	uint8_t bytes[FUZZ_MAX_BYTES];
	for (uint32_t i = 0; i < iterations; i++) {
		const struct input *input = &inputs[random_below(n_inputs)];
		memcpy(bytes, input->bytes, input->size);
		try_input(end, bytes, mutate(bytes, input->size));
	}
	printf("ok 3 - %u mutations, %llu frames or messages accepted in all\n", iterations,
			(unsigned long long)fuzz_accepted);
	printf("3 passed, 0 failed, 0 skipped\n");
}

int main(int argc, char **argv) {
	signal(SIGABRT, handle_crash);
	signal(SIGSEGV, handle_crash);
	signal(SIGBUS, handle_crash);
	load_seeds();
	load_stored(FUZZ_CORPUS);
	if (argc == 3 && strcmp(argv[1], "--write") == 0) {
		write_inputs(argv[2]);
	} else if (argc == 3 && strcmp(argv[1], "--iterations") == 0) {
		try_all(strtoul(argv[2], NULL, 10));
	} else if (argc == 1) {
		try_all(DEFAULT_ITERATIONS);
	} else {
		fprintf(stderr, "usage: %s [--iterations N | --write DIR]\n", argv[0]);
		return 2;
	}
	for (uint32_t i = 0; i < n_inputs; i++) {
		free(inputs[i].bytes);
	}
	return 0;
}
